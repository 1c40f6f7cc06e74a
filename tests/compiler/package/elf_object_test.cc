// The object writer against the real linker and loader of this machine.
#include "compiler/package/elf_object.h"

#include <dlfcn.h>
#include <gtest/gtest.h>

#include <cstring>

#include "base/files.h"
#include "base/subprocess.h"

namespace tilth {
namespace {

using Section = ElfObject::Section;
using Visibility = ElfObject::Visibility;

Status Link(const TempDir& dir, std::vector<std::string> arguments) {
  std::vector<std::string> argv = {"ld.lld-19", "-shared", "--no-undefined", "-o", dir.File("out.so")};
  argv.insert(argv.end(), arguments.begin(), arguments.end());
  TILTH_ASSIGN_OR_RETURN(const SubprocessOutput output,
                         RunSubprocess({.argv = argv, .stderr_to = ChildStream::kCapture}, "", 20000));
  return output.exit.Success() ? absl::OkStatus() : absl::InternalError(output.stderr_text);
}

TEST(ElfObject, PointersBetweenSectionsResolveWhenLoaded) {
  ElfObject object(Arch::kX86_64);
  const int64_t text = object.Append(Section::kReadOnly, std::string_view("hello\0", 6), 1);
  const int64_t blob = object.Append(Section::kReadOnly, "0123456789", 64);
  const int64_t table = object.Append(Section::kRelocated, std::string(16, '\0'), 8);
  object.PointTo(table, Section::kReadOnly, text);
  object.PointTo(table + 8, "blob");
  object.Define("blob", Section::kReadOnly, blob, 10, Visibility::kHidden);
  object.Define("table", Section::kRelocated, table, 16, Visibility::kExported);
  const auto bytes = object.Finish();
  ASSERT_TRUE(bytes.ok()) << bytes.status();

  const auto dir = TempDir::Create();
  ASSERT_TRUE(dir.ok());
  ASSERT_TRUE(WriteFile(dir->File("data.o"), *bytes).ok());
  const Status linked = Link(*dir, {dir->File("data.o")});
  ASSERT_TRUE(linked.ok()) << linked;
  void* const handle = dlopen(dir->File("out.so").c_str(), RTLD_NOW);
  ASSERT_NE(handle, nullptr) << dlerror();
  EXPECT_EQ(dlsym(handle, "blob"), nullptr) << "hidden symbols stay inside";
  auto* const pointers = static_cast<const char**>(dlsym(handle, "table"));
  ASSERT_NE(pointers, nullptr);
  EXPECT_STREQ(pointers[0], "hello");
  EXPECT_EQ(std::string(pointers[1], 10), "0123456789");
  EXPECT_EQ(reinterpret_cast<uintptr_t>(pointers[1]) % 64, 0u);
  dlclose(handle);
}

TEST(ElfObject, JumpsCallFunctionsOfOtherObjects) {
  const auto dir = TempDir::Create();
  ASSERT_TRUE(dir.ok());
  ASSERT_TRUE(WriteFile(dir->File("f.c"), "int answer(int x) { return x + 42; }\n").ok());
  const auto compiled =
      RunSubprocess({.argv = {"cc", "-fPIC", "-c", dir->File("f.c"), "-o", dir->File("f.o")}}, "", 20000);
  ASSERT_TRUE(compiled.ok() && compiled->exit.Success());
  ElfObject object(Arch::kX86_64);
  object.DefineJump("renamed_first", "answer");
  object.DefineJump("renamed_second", "answer");
  ASSERT_TRUE(WriteFile(dir->File("data.o"), *object.Finish()).ok());
  const Status linked = Link(*dir, {dir->File("data.o"), dir->File("f.o")});
  ASSERT_TRUE(linked.ok()) << linked;
  void* const handle = dlopen(dir->File("out.so").c_str(), RTLD_NOW);
  ASSERT_NE(handle, nullptr) << dlerror();
  for (const char* name : {"renamed_first", "renamed_second"}) {
    auto* const function = reinterpret_cast<int (*)(int)>(dlsym(handle, name));
    ASSERT_NE(function, nullptr) << name;
    EXPECT_EQ(function(1), 43);
  }
  dlclose(handle);
}

TEST(ElfObject, LinksForAArch64) {
  ElfObject object(Arch::kAArch64);
  const int64_t table = object.Append(Section::kRelocated, std::string(8, '\0'), 8);
  object.PointTo(table, Section::kReadOnly, object.Append(Section::kReadOnly, "x", 1));
  object.Define("table", Section::kRelocated, table, 8, Visibility::kExported);
  object.Define("target", Section::kText, object.Append(Section::kText, std::string_view("\xc0\x03\x5f\xd6", 4), 4), 4,
                Visibility::kHidden);
  object.DefineJump("jump", "target");
  const auto dir = TempDir::Create();
  ASSERT_TRUE(dir.ok());
  ASSERT_TRUE(WriteFile(dir->File("data.o"), *object.Finish()).ok());
  const Status linked = Link(*dir, {dir->File("data.o")});
  EXPECT_TRUE(linked.ok()) << linked;
}

TEST(ElfObject, SameContentsGiveTheSameBytes) {
  const auto make = [] {
    ElfObject object(Arch::kX86_64);
    object.Define("a", Section::kReadOnly, object.Append(Section::kReadOnly, "abc", 16), 3, Visibility::kExported);
    return *object.Finish();
  };
  EXPECT_EQ(make(), make());
}

}  // namespace
}  // namespace tilth
