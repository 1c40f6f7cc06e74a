// Linking in this process with lld, through files in memory.
#include <lld/Common/Driver.h>
#include <llvm/Support/raw_ostream.h>
#include <sys/mman.h>
#include <unistd.h>

#include <mutex>

#include "compiler/codegen/codegen.h"
#include "compiler/codegen/link_single.h"

LLD_HAS_DRIVER(elf)

namespace tilth {
namespace {

// A file without a name on disk, reachable as /proc/self/fd/N.
class MemoryFile {
 public:
  explicit MemoryFile(const char* name) : fd_(memfd_create(name, MFD_CLOEXEC)) {}
  ~MemoryFile() {
    if (fd_ >= 0) close(fd_);
  }
  MemoryFile(const MemoryFile&) = delete;
  MemoryFile(MemoryFile&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}

  bool ok() const { return fd_ >= 0; }
  std::string path() const { return StrCat("/proc/self/fd/", fd_); }

  Status Write(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t n = write(fd_, bytes.data(), bytes.size());
      if (n <= 0) return absl::ResourceExhaustedError("no memory for an in-memory file");
      bytes.remove_prefix(n);
    }
    return absl::OkStatus();
  }

 private:
  int fd_;
};

StatusOr<std::string> ReadAll(const std::string& path) {
  FILE* file = std::fopen(path.c_str(), "rb");
  if (!file) return absl::InternalError(StrCat("the linker left no output at ", path));
  std::string bytes;
  char chunk[1 << 16];
  size_t n;
  while ((n = std::fread(chunk, 1, sizeof chunk, file)) > 0) bytes.append(chunk, n);
  std::fclose(file);
  return bytes;
}

// Runs lld; on failure the status carries what it printed.
Status RunLinker(const std::vector<std::string>& arguments) {
  static std::mutex mutex;
  std::lock_guard lock(mutex);
  // lld sizes tables by the cores it may use now, and indexes them by threads of a pool made earlier: one thread, so
  // that a change of the affinity in between does no harm. These links are too small to gain from more.
  std::vector<const char*> argv = {"ld.lld", "--threads=1"};
  for (const std::string& argument : arguments) argv.push_back(argument.c_str());
  std::string out, err;
  llvm::raw_string_ostream out_stream(out), err_stream(err);
  const lld::Result result = lld::lldMain(argv, out_stream, err_stream, {{lld::Gnu, &lld::elf::link}});
  if (result.retCode != 0) return absl::InternalError(StrCat("linking: ", err.empty() ? out : err));
  return absl::OkStatus();
}

class ScratchDirectory {
 public:
  ScratchDirectory() {
    const char* base = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
    path_ = StrCat(base, "/tilth-link-XXXXXX");
    if (!mkdtemp(path_.data())) path_.clear();
  }
  ~ScratchDirectory() {
    for (const std::string& file : files_) unlink(file.c_str());
    if (!path_.empty()) rmdir(path_.c_str());
  }
  bool ok() const { return !path_.empty(); }
  std::string File(std::string_view name) {
    files_.push_back(StrCat(path_, "/", name));
    return files_.back();
  }

 private:
  std::string path_;
  std::vector<std::string> files_;
};

}  // namespace

StatusOr<std::string> LinkSharedObject(const std::vector<std::string>& objects, const Target& target,
                                       const std::vector<std::string>& exported,
                                       const std::vector<std::string>& needed) {
  if (objects.size() == 1 && exported.empty() && needed.empty()) {
    if (std::optional<std::string> linked = LinkSingleObject(objects[0], target)) return *std::move(linked);
  }
  const std::string machine = target.arch == Arch::kX86_64 ? "elf_x86_64" : "aarch64linux";
  ScratchDirectory scratch;
  if (!scratch.ok()) return absl::ResourceExhaustedError("no directory for temporary files in /dev/shm or /tmp");
  // lld replaces its output by renaming, so the output and the stub libraries need a directory; inputs do not.
  std::vector<std::string> arguments = {
      "-shared", "-m",          machine,         "-z", "max-page-size=65536", "--hash-style=gnu", "--build-id=none",
      "-z",      "noexecstack", "--gc-sections", "-O0"};
  std::vector<MemoryFile> files;
  for (const std::string& object : objects) {
    files.emplace_back("object");
    if (!files.back().ok()) return absl::ResourceExhaustedError("cannot create an in-memory file");
    TILTH_RETURN_IF_ERROR(files.back().Write(object));
    arguments.push_back(files.back().path());
  }
  std::string version_script;
  if (!exported.empty()) {
    version_script = "{ global: ";
    for (const std::string& symbol : exported) version_script += StrCat(symbol, "; ");
    version_script += "local: *; };";
    files.emplace_back("version-script");
    TILTH_RETURN_IF_ERROR(files.back().Write(version_script));
    arguments.push_back(StrCat("--version-script=", files.back().path()));
  }
  // A stub with the right soname is all it takes to record DT_NEEDED: no sysroot.
  for (const std::string& soname : needed) {
    const std::string stub = scratch.File(soname);
    MemoryFile empty("empty");  // the linker wants an input, whatever it holds
    TILTH_RETURN_IF_ERROR(empty.Write("\n"));
    TILTH_RETURN_IF_ERROR(
        RunLinker({"-shared", "-m", machine, "-soname", soname, "-o", stub, "--format=binary", empty.path()}));
    arguments.insert(arguments.end(), {"--no-as-needed", stub});
  }
  const std::string output = scratch.File("out.so");
  arguments.insert(arguments.end(), {"-o", output});
  TILTH_RETURN_IF_ERROR(RunLinker(arguments));
  return ReadAll(output);
}

}  // namespace tilth
