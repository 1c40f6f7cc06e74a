#include "compiler/package/elf_object.h"

#include <elf.h>

#include <algorithm>
#include <cstring>

namespace tilth {
namespace {

constexpr const char* kSectionNames[] = {".text", ".rodata", ".data.rel.ro"};
constexpr int64_t kMaxSectionBytes = (int64_t{1} << 31) - (int64_t{64} << 20);  // leaves room for kernels around it
constexpr int64_t kSectionAlignment = 4096;

struct Machine {
  uint16_t elf_machine;
  uint32_t pointer_relocation;
  uint32_t jump_relocation;
  std::string_view jump_code;  // a jump with an empty displacement
  int64_t jump_displacement;   // where in the code the relocation applies
  int64_t jump_addend;
};

const Machine& MachineOf(Arch arch) {
  static constexpr Machine kX86{EM_X86_64, R_X86_64_64, R_X86_64_PLT32, std::string_view("\xe9\0\0\0\0", 5), 1, -4};
  static constexpr Machine kArm{EM_AARCH64, R_AARCH64_ABS64, R_AARCH64_JUMP26, std::string_view("\0\0\0\x14", 4), 0, 0};
  return arch == Arch::kX86_64 ? kX86 : kArm;
}

// Appends the bytes of a trivially copyable value: both targets are little-endian with this machine's layout.
template <typename T>
void AppendValue(std::string* out, const T& value) {
  out->append(reinterpret_cast<const char*>(&value), sizeof(value));
}

void Pad(std::string* out, int64_t alignment) { out->append(-out->size() % alignment, '\0'); }

// The layout of the file: section headers in order of appearance, each with its bytes already in `file`.
class FileBuilder {
 public:
  FileBuilder(uint16_t machine, size_t expected_bytes) {
    file_.reserve(expected_bytes);
    file_.resize(sizeof(Elf64_Ehdr));
    headers_.push_back({});
    header_.e_machine = machine;
  }

  void Add(const char* name, std::string_view bytes, Elf64_Shdr header) {
    Pad(&file_, static_cast<int64_t>(std::max<uint64_t>(header.sh_addralign, 1)));
    header.sh_name = static_cast<uint32_t>(names_.size());
    names_ += name;
    names_ += '\0';
    header.sh_offset = file_.size();
    header.sh_size = bytes.size();
    file_ += bytes;
    headers_.push_back(header);
  }

  std::string Finish() {
    Elf64_Shdr header = {};
    header.sh_type = SHT_STRTAB;
    header.sh_addralign = 1;
    names_ += std::string_view(".shstrtab\0", 10);
    const size_t name_offset = names_.size() - 10;
    header.sh_name = static_cast<uint32_t>(name_offset);
    header.sh_offset = file_.size();
    header.sh_size = names_.size();
    file_ += names_;
    headers_.push_back(header);

    Pad(&file_, 8);
    std::memcpy(header_.e_ident, ELFMAG, SELFMAG);
    header_.e_ident[EI_CLASS] = ELFCLASS64;
    header_.e_ident[EI_DATA] = ELFDATA2LSB;
    header_.e_ident[EI_VERSION] = EV_CURRENT;
    header_.e_type = ET_REL;
    header_.e_version = EV_CURRENT;
    header_.e_ehsize = sizeof(Elf64_Ehdr);
    header_.e_shoff = file_.size();
    header_.e_shentsize = sizeof(Elf64_Shdr);
    header_.e_shnum = static_cast<uint16_t>(headers_.size());
    header_.e_shstrndx = static_cast<uint16_t>(headers_.size() - 1);
    for (const Elf64_Shdr& section : headers_) AppendValue(&file_, section);
    std::memcpy(file_.data(), &header_, sizeof(header_));
    return std::move(file_);
  }

 private:
  std::string file_;
  std::string names_ = std::string(1, '\0');
  std::vector<Elf64_Shdr> headers_;
  Elf64_Ehdr header_ = {};
};

Elf64_Shdr Header(uint32_t type, uint64_t flags, uint64_t alignment) {
  Elf64_Shdr header = {};
  header.sh_type = type;
  header.sh_flags = flags;
  header.sh_addralign = alignment;
  return header;
}

}  // namespace

int64_t ElfObject::Append(Section section, std::string_view bytes, int64_t alignment) {
  std::string& contents = sections_[static_cast<int>(section)];
  Pad(&contents, alignment);
  const int64_t offset = static_cast<int64_t>(contents.size());
  contents += bytes;
  return offset;
}

int ElfObject::FindOrAddSymbol(std::string_view name) {
  for (size_t i = 0; i < symbols_.size(); ++i) {
    if (symbols_[i].name == name) return static_cast<int>(i);
  }
  symbols_.push_back({.name = std::string(name)});
  return static_cast<int>(symbols_.size()) - 1;
}

void ElfObject::PointTo(int64_t offset, std::string_view symbol) {
  relocations_.push_back({Section::kRelocated, offset, FindOrAddSymbol(symbol), {}, 0, false});
}

void ElfObject::PointTo(int64_t offset, Section target, int64_t target_offset) {
  relocations_.push_back({Section::kRelocated, offset, -1, target, target_offset, false});
}

void ElfObject::Define(std::string_view symbol, Section section, int64_t offset, int64_t size, Visibility visibility) {
  Symbol& entry = symbols_[FindOrAddSymbol(symbol)];
  entry.section = static_cast<int>(section);
  entry.offset = offset;
  entry.size = size;
  entry.hidden = visibility == Visibility::kHidden;
  entry.function = section == Section::kText;
}

void ElfObject::DefineJump(std::string_view name, std::string_view target) {
  const Machine& machine = MachineOf(arch_);
  const int64_t offset = Append(Section::kText, machine.jump_code, 16);
  Define(name, Section::kText, offset, static_cast<int64_t>(machine.jump_code.size()), Visibility::kExported);
  relocations_.push_back(
      {Section::kText, offset + machine.jump_displacement, FindOrAddSymbol(target), {}, machine.jump_addend, true});
}

// Local symbols come first: the null symbol and one for each section (numbers 1 … kNumSections, as the sections).
void ElfObject::WriteSymbols(std::string* table, std::string* names) const {
  AppendValue(table, Elf64_Sym{});
  for (int i = 0; i < kNumSections; ++i) {
    Elf64_Sym symbol = {};
    symbol.st_info = ELF64_ST_INFO(STB_LOCAL, STT_SECTION);
    symbol.st_shndx = static_cast<uint16_t>(i + 1);
    AppendValue(table, symbol);
  }
  for (const Symbol& entry : symbols_) {
    Elf64_Sym symbol = {};
    symbol.st_name = static_cast<uint32_t>(names->size());
    *names += entry.name;
    *names += '\0';
    const int type = entry.section < 0 ? STT_NOTYPE : entry.function ? STT_FUNC : STT_OBJECT;
    symbol.st_info = static_cast<unsigned char>(ELF64_ST_INFO(STB_GLOBAL, type));
    symbol.st_other = entry.hidden ? STV_HIDDEN : STV_DEFAULT;
    symbol.st_shndx = entry.section < 0 ? uint16_t{SHN_UNDEF} : static_cast<uint16_t>(entry.section + 1);
    symbol.st_value = static_cast<uint64_t>(entry.offset);
    symbol.st_size = static_cast<uint64_t>(entry.size);
    AppendValue(table, symbol);
  }
}

std::string ElfObject::RelocationsOf(Section section) const {
  const Machine& machine = MachineOf(arch_);
  std::string table;
  for (const Relocation& relocation : relocations_) {
    if (relocation.section != section) continue;
    const uint64_t symbol =
        relocation.symbol < 0 ? static_cast<uint64_t>(relocation.target) + 1 : relocation.symbol + kNumSections + 1;
    Elf64_Rela patch = {};
    patch.r_offset = static_cast<uint64_t>(relocation.offset);
    patch.r_info = ELF64_R_INFO(symbol, relocation.jump ? machine.jump_relocation : machine.pointer_relocation);
    patch.r_addend = relocation.addend;
    AppendValue(&table, patch);
  }
  return table;
}

StatusOr<std::string> ElfObject::Finish() const {
  for (int i = 0; i < kNumSections; ++i) {
    if (static_cast<int64_t>(sections_[i].size()) > kMaxSectionBytes) {
      return absl::InvalidArgumentError(StrCat("section ", kSectionNames[i], " has ", sections_[i].size(),
                                               " bytes; a library holds at most ", kMaxSectionBytes));
    }
  }
  std::string symbols, names(1, '\0');
  WriteSymbols(&symbols, &names);
  std::string patches[kNumSections];
  for (int i = 0; i < kNumSections; ++i) patches[i] = RelocationsOf(static_cast<Section>(i));

  constexpr uint64_t kFlags[] = {SHF_ALLOC | SHF_EXECINSTR, SHF_ALLOC, SHF_ALLOC | SHF_WRITE};
  constexpr uint32_t kSymbolTable = kNumSections + 1;
  size_t expected = symbols.size() + names.size() + (size_t{64} << 10);
  for (const std::string& contents : sections_) expected += contents.size();
  for (const std::string& patch : patches) expected += patch.size();
  FileBuilder file(MachineOf(arch_).elf_machine, expected);
  for (int i = 0; i < kNumSections; ++i) {
    file.Add(kSectionNames[i], sections_[i], Header(SHT_PROGBITS, kFlags[i], kSectionAlignment));
  }
  Elf64_Shdr symbol_header = Header(SHT_SYMTAB, 0, 8);
  symbol_header.sh_link = kSymbolTable + 1;
  symbol_header.sh_info = kNumSections + 1;
  symbol_header.sh_entsize = sizeof(Elf64_Sym);
  file.Add(".symtab", symbols, symbol_header);
  file.Add(".strtab", names, Header(SHT_STRTAB, 0, 1));
  file.Add(".note.GNU-stack", "", Header(SHT_PROGBITS, 0, 1));
  for (int i = 0; i < kNumSections; ++i) {
    if (patches[i].empty()) continue;
    Elf64_Shdr header = Header(SHT_RELA, SHF_INFO_LINK, 8);
    header.sh_link = kSymbolTable;
    header.sh_info = static_cast<uint32_t>(i + 1);
    header.sh_entsize = sizeof(Elf64_Rela);
    file.Add(StrCat(".rela", kSectionNames[i]).c_str(), patches[i], header);
  }
  return file.Finish();
}

}  // namespace tilth
