// Aligned text tables and human-readable quantities for the subcommands.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace tilth {

struct Column {
  enum Kind {
    kText,      // left-aligned
    kNumber,    // right-aligned
    kFlexible,  // left-aligned; cut with "…" where the table would be wider than the terminal
  };
  std::string header;
  Kind kind = kText;
};

class Table {
 public:
  explicit Table(std::vector<Column> columns) : columns_(std::move(columns)) {}

  // One cell per column.
  void AddRow(std::vector<std::string> cells);
  bool empty() const { return rows_.empty(); }
  // A sentence about the last row, set below it, indented and wrapped.
  void AddNote(std::string text);

  // Header, rows, each ending in a newline; at most `max_width` characters wide where flexible columns allow.
  std::string Render(int max_width) const;

 private:
  std::vector<Column> columns_;
  std::vector<std::vector<std::string>> rows_;
  std::vector<std::vector<std::string>> notes_;  // of each row
};

// `text` in lines of at most `width` characters, broken at spaces, each behind `indent`.
std::string Wrap(std::string_view text, int width, std::string_view indent);

// The width of the terminal on stdout, at least 60 and at most 160; 100 where stdout is no terminal.
int TerminalWidth();

std::string FormatDuration(double ns);              // "812 ns", "3.42 us", "1.20 ms", "4.07 s", "3m12s"
std::string FormatBytes(int64_t bytes);             // "812 B", "3.4 KiB", "1.2 MiB"
std::string FormatCount(int64_t count);             // "1,234,567"
std::string FormatTime(int64_t unix_ns);            // "2026-11-21 13:05" in local time; "-" for 0
std::string FormatGflops(double flops, double ns);  // "187.3"; "-" if either is not positive

}  // namespace tilth
