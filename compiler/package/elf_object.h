// Writes a relocatable ELF64 object of data: weights and tables full of pointers, at the speed of a copy. A model's
// weights can be hundreds of megabytes, which neither an assembler nor an IR constant should have to carry.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "ir/target.h"

namespace tilth {

// Collects sections, symbols and relocations; not thread-safe. Offsets are bytes from the start of a section.
class ElfObject {
 public:
  enum class Section : uint8_t {
    kText,       // jumps to functions elsewhere
    kReadOnly,   // bytes without pointers
    kRelocated,  // read-only after the loader has filled in pointers
  };
  enum class Visibility : uint8_t { kExported, kHidden };

  explicit ElfObject(Arch arch) : arch_(arch) {}

  // Appends `bytes` at the next multiple of `alignment` (a power of two, at most 4096) and returns their offset.
  int64_t Append(Section section, std::string_view bytes, int64_t alignment);
  // The 8 bytes at `offset` of kRelocated become the address of `symbol`, defined here or elsewhere.
  void PointTo(int64_t offset, std::string_view symbol);
  // … or the address of byte `target_offset` of a section of this object.
  void PointTo(int64_t offset, Section target, int64_t target_offset);
  void Define(std::string_view symbol, Section section, int64_t offset, int64_t size, Visibility visibility);
  // Defines the exported function `name`, which jumps to the function `target` elsewhere.
  void DefineJump(std::string_view name, std::string_view target);

  // The object file. INVALID_ARGUMENT when a section has grown past what code can address (2 GiB).
  StatusOr<std::string> Finish() const;

 private:
  static constexpr int kNumSections = 3;
  struct Symbol {
    std::string name;
    int section = -1;  // -1: defined elsewhere
    int64_t offset = 0;
    int64_t size = 0;
    bool hidden = false;
    bool function = false;
  };
  struct Relocation {
    Section section;  // that is patched
    int64_t offset;
    int symbol;      // index into symbols_, or -1 …
    Section target;  // … for this section
    int64_t addend;
    bool jump;
  };

  int FindOrAddSymbol(std::string_view name);
  // Appends to an empty symbol table and to its string table, which holds the empty name.
  void WriteSymbols(std::string* table, std::string* names) const;
  std::string RelocationsOf(Section section) const;

  Arch arch_;
  std::string sections_[kNumSections];
  std::vector<Symbol> symbols_;
  std::vector<Relocation> relocations_;
};

}  // namespace tilth
