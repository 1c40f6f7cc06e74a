#include "compiler/codegen/link_single.h"

#include <elf.h>

#include <algorithm>
#include <cstring>
#include <vector>

namespace tilth {
namespace {

// Pages are at most this large on any of the targets; segments start on pages of their own.
constexpr uint64_t kPage = 0x10000;

enum Segment { kReadOnly, kCode, kData, kNumSegments };

struct Section {
  Elf64_Shdr header;
  int segment = -1;     // -1: not loaded
  uint64_t offset = 0;  // in the library; its address is that plus kPage for each segment before
  uint64_t Address() const { return offset + static_cast<uint64_t>(segment) * kPage; }
};

class SingleLink {
 public:
  SingleLink(std::string_view object, const Target& target) : object_(object), arch_(target.arch) {}

  std::optional<std::string> Run() {
    if (!ReadSections() || !ReadSymbols()) return std::nullopt;
    Place();
    if (!Relocate()) return std::nullopt;
    WriteTables();
    WriteHeaders();
    return std::move(out_);
  }

 private:
  template <typename T>
  bool Read(uint64_t offset, T* value) const {
    if (offset > object_.size() || object_.size() - offset < sizeof(T)) return false;
    std::memcpy(value, object_.data() + offset, sizeof(T));
    return true;
  }
  template <typename T>
  void Write(uint64_t offset, const T& value) {
    std::memcpy(out_.data() + offset, &value, sizeof(T));
  }
  bool IsArm() const { return arch_ == Arch::kAArch64; }

  bool ReadSections();
  bool ReadSymbols();
  void Place();
  bool Relocate();
  bool Apply(const Elf64_Rela& relocation, const Section& section);
  bool ApplyArm(uint32_t type, uint64_t at, uint64_t place, uint64_t value);
  void WriteTables();
  void WriteHeaders();

  const std::string_view object_;
  const Arch arch_;
  std::string out_;
  std::vector<Section> sections_;
  std::vector<Elf64_Sym> symbols_;
  std::vector<Elf64_Sym> exported_ = {Elf64_Sym{}};  // the first symbol of a table is none
  std::string names_ = std::string(1, '\0');
  size_t num_relative_ = 0;
  std::vector<Elf64_Rela> relative_;
  uint64_t symbols_at_ = 0, names_at_ = 0, hash_at_ = 0, relative_at_ = 0, dynamic_at_ = 0;
  uint64_t begin_[kNumSegments] = {}, end_[kNumSegments] = {};
};

bool SingleLink::ReadSections() {
  Elf64_Ehdr header;
  if (!Read(0, &header) || std::memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 || header.e_type != ET_REL) return false;
  if (header.e_machine != (IsArm() ? EM_AARCH64 : EM_X86_64)) return false;
  for (uint64_t i = 0; i < header.e_shnum; ++i) {
    Section& section = sections_.emplace_back();
    Elf64_Shdr& h = section.header;
    if (!Read(header.e_shoff + i * sizeof h, &h)) return false;
    if (h.sh_type == SHT_NOBITS ? h.sh_size > 0
                                : h.sh_offset > object_.size() || h.sh_size > object_.size() - h.sh_offset)
      return false;
    if (!(h.sh_flags & SHF_ALLOC) || h.sh_size == 0) continue;
    if (h.sh_type != SHT_PROGBITS || h.sh_addralign > 4096) return false;
    section.segment = h.sh_flags & SHF_EXECINSTR ? kCode : h.sh_flags & SHF_WRITE ? kData : kReadOnly;
  }
  return true;
}

bool SingleLink::ReadSymbols() {
  for (const Section& section : sections_) {
    const Elf64_Shdr& h = section.header;
    if (h.sh_type == SHT_RELA && h.sh_info < sections_.size() && sections_[h.sh_info].segment >= 0) {
      for (uint64_t at = 0; at < h.sh_size; at += sizeof(Elf64_Rela)) {
        Elf64_Rela relocation;
        if (!Read(h.sh_offset + at, &relocation)) return false;
        const uint32_t type = ELF64_R_TYPE(relocation.r_info);
        num_relative_ += type == (IsArm() ? R_AARCH64_ABS64 : R_X86_64_64);
      }
    }
    if (h.sh_type != SHT_SYMTAB || h.sh_link >= sections_.size()) continue;
    const Elf64_Shdr& strings = sections_[h.sh_link].header;
    for (uint64_t at = 0; at < h.sh_size; at += sizeof(Elf64_Sym)) {
      Elf64_Sym symbol;
      if (!Read(h.sh_offset + at, &symbol)) return false;
      symbols_.push_back(symbol);
      if (ELF64_ST_BIND(symbol.st_info) == STB_LOCAL) continue;
      if (symbol.st_shndx == SHN_UNDEF || symbol.st_shndx >= sections_.size() || symbol.st_name >= strings.sh_size)
        return false;
      const std::string_view tail =
          object_.substr(strings.sh_offset + symbol.st_name, strings.sh_size - symbol.st_name);
      symbol.st_name = static_cast<Elf64_Word>(names_.size());
      names_.append(tail.substr(0, tail.find('\0'))).push_back('\0');
      exported_.push_back(symbol);
    }
  }
  return exported_.size() > 1;
}

// Headers and tables, then the sections by segment, then the dynamic section.
void SingleLink::Place() {
  uint64_t at = sizeof(Elf64_Ehdr) + (kNumSegments + 2) * sizeof(Elf64_Phdr);
  auto reserve = [&](uint64_t bytes, uint64_t alignment) {
    at = (at + alignment - 1) / alignment * alignment;
    const uint64_t begin = at;
    at += bytes;
    return begin;
  };
  symbols_at_ = reserve(exported_.size() * sizeof(Elf64_Sym), 8);
  relative_at_ = reserve(num_relative_ * sizeof(Elf64_Rela), 8);
  hash_at_ = reserve((3 + exported_.size()) * sizeof(Elf64_Word), 8);
  names_at_ = reserve(names_.size(), 1);
  for (int segment = 0; segment < kNumSegments; ++segment) {
    if (segment != kReadOnly) begin_[segment] = reserve(0, 64);
    for (Section& section : sections_) {
      if (section.segment != segment) continue;
      section.offset = reserve(section.header.sh_size, std::max<uint64_t>(1, section.header.sh_addralign));
    }
    if (segment == kData) dynamic_at_ = reserve(9 * sizeof(Elf64_Dyn), 8);
    end_[segment] = at;
  }
  out_.assign(at, '\0');
  for (const Section& section : sections_)
    if (section.segment >= 0)
      std::memcpy(out_.data() + section.offset, object_.data() + section.header.sh_offset, section.header.sh_size);
}

bool SingleLink::Relocate() {
  for (const Section& table : sections_) {
    const Elf64_Shdr& h = table.header;
    if (h.sh_type != SHT_RELA || h.sh_info >= sections_.size() || sections_[h.sh_info].segment < 0) continue;
    for (uint64_t at = 0; at < h.sh_size; at += sizeof(Elf64_Rela)) {
      Elf64_Rela relocation;
      if (!Read(h.sh_offset + at, &relocation) || !Apply(relocation, sections_[h.sh_info])) return false;
    }
  }
  return true;
}

bool SingleLink::Apply(const Elf64_Rela& relocation, const Section& section) {
  const uint64_t number = ELF64_R_SYM(relocation.r_info);
  if (number >= symbols_.size() || section.header.sh_size < 4 || relocation.r_offset > section.header.sh_size - 4)
    return false;
  const Elf64_Sym& symbol = symbols_[number];
  if (symbol.st_shndx == SHN_UNDEF || symbol.st_shndx >= sections_.size() || sections_[symbol.st_shndx].segment < 0)
    return false;
  const uint64_t value = sections_[symbol.st_shndx].Address() + symbol.st_value + relocation.r_addend;
  const uint64_t at = section.offset + relocation.r_offset, place = section.Address() + relocation.r_offset;
  const auto type = static_cast<uint32_t>(ELF64_R_TYPE(relocation.r_info));
  if (type == (IsArm() ? R_AARCH64_ABS64 : R_X86_64_64)) {
    if (section.segment != kData || relocation.r_offset + 8 > section.header.sh_size) return false;
    const uint32_t relative = IsArm() ? R_AARCH64_RELATIVE : R_X86_64_RELATIVE;
    relative_.push_back({place, ELF64_R_INFO(0, relative), static_cast<Elf64_Sxword>(value)});
    return true;
  }
  if (IsArm()) return ApplyArm(type, at, place, value);
  if (type != R_X86_64_PC32 && type != R_X86_64_PLT32) return false;
  Write(at, static_cast<uint32_t>(value - place));
  return true;
}

bool SingleLink::ApplyArm(uint32_t type, uint64_t at, uint64_t place, uint64_t value) {
  uint32_t instruction;
  std::memcpy(&instruction, out_.data() + at, sizeof instruction);
  auto low_bits = [&](int shift) { instruction |= static_cast<uint32_t>((value & 0xfff) >> shift) << 10; };
  switch (type) {
    case R_AARCH64_ADR_PREL_PG_HI21: {
      const auto pages = static_cast<uint32_t>((value >> 12) - (place >> 12));
      instruction |= (pages & 3) << 29 | (pages >> 2 & 0x7ffff) << 5;
      break;
    }
    case R_AARCH64_ADD_ABS_LO12_NC:
    case R_AARCH64_LDST8_ABS_LO12_NC:
      low_bits(0);
      break;
    case R_AARCH64_LDST16_ABS_LO12_NC:
      low_bits(1);
      break;
    case R_AARCH64_LDST32_ABS_LO12_NC:
      low_bits(2);
      break;
    case R_AARCH64_LDST64_ABS_LO12_NC:
      low_bits(3);
      break;
    case R_AARCH64_LDST128_ABS_LO12_NC:
      low_bits(4);
      break;
    default:
      return false;
  }
  Write(at, instruction);
  return true;
}

// What the loader reads: symbols, a hash table of one bucket, pointers to adjust, and where all that is.
void SingleLink::WriteTables() {
  for (size_t i = 1; i < exported_.size(); ++i) {
    exported_[i].st_value += sections_[exported_[i].st_shndx].Address();
    Write(symbols_at_ + i * sizeof(Elf64_Sym), exported_[i]);
  }
  std::memcpy(out_.data() + names_at_, names_.data(), names_.size());
  const auto count = static_cast<Elf64_Word>(exported_.size());
  std::vector<Elf64_Word> hash = {1, count, 1, 0};
  for (Elf64_Word i = 1; i < count; ++i) hash.push_back(i + 1 < count ? i + 1 : 0);
  for (size_t i = 0; i < hash.size(); ++i) Write(hash_at_ + i * sizeof hash[i], hash[i]);
  for (size_t i = 0; i < relative_.size(); ++i) Write(relative_at_ + i * sizeof relative_[i], relative_[i]);
  const std::pair<Elf64_Sxword, uint64_t> entries[] = {{DT_HASH, hash_at_},
                                                       {DT_SYMTAB, symbols_at_},
                                                       {DT_SYMENT, sizeof(Elf64_Sym)},
                                                       {DT_STRTAB, names_at_},
                                                       {DT_STRSZ, names_.size()},
                                                       {DT_RELA, relative_at_},
                                                       {DT_RELASZ, relative_.size() * sizeof(Elf64_Rela)},
                                                       {DT_RELAENT, sizeof(Elf64_Rela)},
                                                       {DT_NULL, 0}};
  uint64_t at = dynamic_at_;
  for (const auto& [tag, value] : entries) {
    Elf64_Dyn entry = {};
    entry.d_tag = tag;
    entry.d_un.d_val = value;
    Write(at, entry);
    at += sizeof entry;
  }
}

void SingleLink::WriteHeaders() {
  Elf64_Ehdr header = {};
  std::memcpy(header.e_ident, ELFMAG, SELFMAG);
  header.e_ident[EI_CLASS] = ELFCLASS64;
  header.e_ident[EI_DATA] = ELFDATA2LSB;
  header.e_ident[EI_VERSION] = EV_CURRENT;
  header.e_type = ET_DYN;
  header.e_machine = IsArm() ? EM_AARCH64 : EM_X86_64;
  header.e_version = EV_CURRENT;
  header.e_phoff = sizeof header;
  header.e_ehsize = sizeof header;
  header.e_phentsize = sizeof(Elf64_Phdr);
  header.e_phnum = kNumSegments + 2;
  header.e_shentsize = sizeof(Elf64_Shdr);
  Write(0, header);
  uint64_t at = sizeof header;
  auto add = [&](Elf64_Word type, Elf64_Word flags, uint64_t begin, uint64_t end, uint64_t delta, uint64_t alignment) {
    Elf64_Phdr segment = {};
    segment.p_type = type;
    segment.p_flags = flags;
    segment.p_offset = begin;
    segment.p_vaddr = segment.p_paddr = begin + delta;
    segment.p_filesz = segment.p_memsz = end - begin;
    segment.p_align = alignment;
    Write(at, segment);
    at += sizeof segment;
  };
  constexpr Elf64_Word kFlags[kNumSegments] = {PF_R, PF_R | PF_X, PF_R | PF_W};
  for (uint64_t segment = 0; segment < kNumSegments; ++segment)
    add(PT_LOAD, kFlags[segment], begin_[segment], end_[segment], segment * kPage, kPage);
  add(PT_DYNAMIC, PF_R | PF_W, dynamic_at_, end_[kData], kData * kPage, 8);
  add(PT_GNU_STACK, PF_R | PF_W, 0, 0, 0, 16);
}

}  // namespace

std::optional<std::string> LinkSingleObject(std::string_view object, const Target& target) {
  return SingleLink(object, target).Run();
}

}  // namespace tilth
