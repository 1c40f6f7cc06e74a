#include "rpc_agent/runner/report.h"

#include <unistd.h>

#include <cerrno>

#include "rpc_agent/runner/request.h"

namespace tilth::runner {
namespace {

void WriteLine(const std::string& line) {
  size_t done = 0;
  while (done < line.size()) {
    const ssize_t n = write(kReplyFd, line.data() + done, line.size() - done);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) _exit(3);  // the agent has gone; nobody wants an answer
    done += static_cast<size_t>(n);
  }
}

}  // namespace

void ReportStage(const char* stage) { WriteLine(std::string("stage ") + stage + "\n"); }

void ReportReply(const std::string& json) { WriteLine("reply " + json + "\n"); }

}  // namespace tilth::runner
