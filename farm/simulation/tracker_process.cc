// See the header.
#include "farm/simulation/tracker_process.h"

#include <unistd.h>

#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"
#include "base/clock.h"
#include "base/files.h"

namespace tilth {
namespace {

constexpr int64_t kStartMs = 15'000, kPollMs = 10;

}  // namespace

StatusOr<std::unique_ptr<TrackerProcess>> TrackerProcess::Start(const std::string& program,
                                                                const std::vector<std::string>& arguments) {
  TILTH_ASSIGN_OR_RETURN(ScratchDirectory state, ScratchDirectory::Create("tilth-load"));
  std::unique_ptr<TrackerProcess> tracker(new TrackerProcess(std::move(state)));
  const std::string port_file = StrCat(tracker->state_.path(), "/port");
  SubprocessOptions options{.stdout_to = ChildStream::kDiscard};
  options.argv = {
      program,       "farm",   "serve", "--listen", "127.0.0.1:0", "--state", StrCat(tracker->state_.path(), "/state"),
      "--port-file", port_file};
  options.argv.insert(options.argv.end(), arguments.begin(), arguments.end());
  TILTH_ASSIGN_OR_RETURN(tracker->process_, Subprocess::Start(options), "starting a tracker");
  const int64_t deadline_ns = SystemClock().NowNs() + kStartMs * 1'000'000;
  int port = 0;
  while (!absl::SimpleAtoi(ReadFile(port_file).value_or(""), &port)) {
    if (const StatusOr<ExitStatus> exit = tracker->process_->Wait(kPollMs); exit.ok()) {
      return absl::UnavailableError(StrCat("the tracker ", exit->Describe(), " before it listened"));
    }
    if (SystemClock().NowNs() > deadline_ns) return absl::UnavailableError("the tracker does not listen in time");
  }
  tracker->address_ = StrCat("127.0.0.1:", port);
  return tracker;
}

int64_t TrackerProcess::PeakRssBytes() const {
  const std::string status = ReadFile(StrCat("/proc/", process_->pid(), "/status")).value_or("");
  for (absl::string_view line : absl::StrSplit(status, '\n')) {
    const std::vector<absl::string_view> words = absl::StrSplit(line, absl::ByAnyChar(" \t"), absl::SkipEmpty());
    int64_t kilobytes = 0;
    if (words.size() == 3 && words[0] == "VmHWM:" && absl::SimpleAtoi(words[1], &kilobytes)) return kilobytes << 10;
  }
  return 0;
}

double TrackerProcess::CpuSeconds() const {
  // The fields behind the name, which may hold anything: state is the first, utime and stime are 12th and 13th.
  const std::string stat = ReadFile(StrCat("/proc/", process_->pid(), "/stat")).value_or("");
  const std::vector<absl::string_view> fields =
      absl::StrSplit(absl::string_view(stat).substr(std::min(stat.rfind(')') + 2, stat.size())), ' ');
  int64_t user = 0, system = 0;
  if (fields.size() < 13 || !absl::SimpleAtoi(fields[11], &user) || !absl::SimpleAtoi(fields[12], &system)) return 0;
  return static_cast<double>(user + system) / static_cast<double>(sysconf(_SC_CLK_TCK));
}

}  // namespace tilth
