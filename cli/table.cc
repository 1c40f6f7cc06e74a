// Tables are laid out in characters, not bytes: names hold "×" and "…".
#include "cli/table.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <ctime>

#include "base/status.h"

namespace tilth {
namespace {

constexpr std::string_view kGap = "  ";
constexpr int kNarrowestFlexible = 12;

bool BeginsCharacter(char byte) { return (static_cast<unsigned char>(byte) & 0xc0) != 0x80; }

int Width(std::string_view text) { return static_cast<int>(std::count_if(text.begin(), text.end(), BeginsCharacter)); }

std::string Cut(std::string_view text, int width) {
  if (Width(text) <= width) return std::string(text);
  size_t end = 0;
  for (int characters = 0; end < text.size(); ++end) {
    if (BeginsCharacter(text[end]) && ++characters == width) break;
  }
  return StrCat(text.substr(0, end), "…");
}

void AppendRow(const std::vector<std::string>& cells, const std::vector<Column>& columns,
               const std::vector<int>& widths, std::string* out) {
  std::string line;
  for (size_t i = 0; i < cells.size(); ++i) {
    const std::string cell = Cut(cells[i], widths[i]);
    const std::string padding(widths[i] - Width(cell), ' ');
    if (i > 0) StrAppend(&line, kGap);
    StrAppend(&line, columns[i].kind == Column::kNumber ? padding : "", cell,
              columns[i].kind == Column::kNumber ? "" : padding);
  }
  line.erase(line.find_last_not_of(' ') + 1);
  StrAppend(out, line, "\n");
}

}  // namespace

void Table::AddRow(std::vector<std::string> cells) {
  TILTH_CHECK(cells.size() == columns_.size());
  rows_.push_back(std::move(cells));
  notes_.emplace_back();
}

void Table::AddNote(std::string text) {
  TILTH_CHECK(!rows_.empty());
  notes_.back().push_back(std::move(text));
}

std::string Table::Render(int max_width) const {
  std::vector<std::string> headers;
  std::vector<int> widths;
  int total = -static_cast<int>(kGap.size());
  for (size_t i = 0; i < columns_.size(); ++i) {
    headers.push_back(columns_[i].header);
    int width = Width(columns_[i].header);
    for (const auto& row : rows_) width = std::max(width, Width(row[i]));
    widths.push_back(width);
    total += width + static_cast<int>(kGap.size());
  }
  // The widest gives way first.
  for (; total > max_width; --total) {
    int* widest = nullptr;
    for (size_t i = 0; i < columns_.size(); ++i) {
      const bool can_shrink =
          columns_[i].kind == Column::kFlexible && widths[i] > std::max(kNarrowestFlexible, Width(columns_[i].header));
      if (can_shrink && (widest == nullptr || widths[i] > *widest)) widest = &widths[i];
    }
    if (widest == nullptr) break;
    --*widest;
  }
  std::string out;
  AppendRow(headers, columns_, widths, &out);
  for (size_t i = 0; i < rows_.size(); ++i) {
    AppendRow(rows_[i], columns_, widths, &out);
    for (const std::string& note : notes_[i]) StrAppend(&out, Wrap(note, max_width, "    "));
  }
  return out;
}

std::string Wrap(std::string_view text, int width, std::string_view indent) {
  std::string out, line;
  while (!text.empty()) {
    const size_t space = std::min(text.find(' '), text.size());
    const std::string_view word = text.substr(0, space);
    if (!line.empty() && Width(indent) + Width(line) + 1 + Width(word) > width) {
      StrAppend(&out, indent, line, "\n");
      line.clear();
    }
    StrAppend(&line, line.empty() ? "" : " ", word);
    text.remove_prefix(std::min(space + 1, text.size()));
  }
  return StrCat(out, indent, line, "\n");
}

int TerminalWidth() {
  winsize size;
  if (isatty(STDOUT_FILENO) == 0 || ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0) return 100;
  return std::clamp<int>(size.ws_col, 60, 160);
}

std::string FormatDuration(double ns) {
  if (ns < 1e3) return absl::StrFormat("%.0f ns", ns);
  if (ns < 1e6) return absl::StrFormat("%.*f us", ns < 1e4 ? 2 : 1, ns / 1e3);
  if (ns < 1e9) return absl::StrFormat("%.*f ms", ns < 1e8 ? 2 : 1, ns / 1e6);
  if (ns < 100e9) return absl::StrFormat("%.2f s", ns / 1e9);
  const auto seconds = static_cast<int64_t>(ns / 1e9);
  return seconds < 3600 ? absl::StrFormat("%dm%02ds", seconds / 60, seconds % 60)
                        : absl::StrFormat("%dh%02dm", seconds / 3600, seconds / 60 % 60);
}

std::string FormatBytes(int64_t bytes) {
  if (bytes < 1024) return StrCat(bytes, " B");
  double value = static_cast<double>(bytes) / 1024;
  for (const char* unit : {"KiB", "MiB"}) {
    if (value < 1024) return absl::StrFormat("%.1f %s", value, unit);
    value /= 1024;
  }
  return absl::StrFormat("%.1f GiB", value);
}

std::string FormatCount(int64_t count) {
  std::string digits = StrCat(count);
  for (int at = static_cast<int>(digits.size()) - 3; at > (count < 0 ? 1 : 0); at -= 3) digits.insert(at, ",");
  return digits;
}

std::string FormatTime(int64_t unix_ns) {
  if (unix_ns == 0) return "-";
  const time_t seconds = unix_ns / 1'000'000'000;
  tm local;
  localtime_r(&seconds, &local);
  char text[32];
  strftime(text, sizeof(text), "%Y-%m-%d %H:%M", &local);
  return text;
}

std::string FormatGflops(double flops, double ns) {
  return flops > 0 && ns > 0 ? absl::StrFormat("%.1f", flops / ns) : "-";
}

}  // namespace tilth
