// RunSubprocess: feeds a child, collects its output and ends it at the deadline.
#include <signal.h>

#include "base/pipe_exchange.h"
#include "base/subprocess.h"

namespace tilth {

StatusOr<SubprocessOutput> RunSubprocess(SubprocessOptions options, std::string_view input, int64_t timeout_ms,
                                         size_t max_output_bytes) {
  options.feed_stdin = !input.empty();
  TILTH_ASSIGN_OR_RETURN(std::unique_ptr<Subprocess> child, Subprocess::Start(options));
  SubprocessOutput output;
  PipeExchange pipes(max_output_bytes);
  pipes.Collect(child->stdout_fd().get(), &output.stdout_text);
  pipes.Collect(child->stderr_fd().get(), &output.stderr_text);
  pipes.Collect(child->result_fd().get(), &output.result_bytes);
  if (child->stdin_fd().valid()) pipes.Feed(std::move(child->stdin_fd()), input);
  TILTH_ASSIGN_OR_RETURN(const bool ended, pipes.RunUntil(child->exit_fd().get(), timeout_ms));
  if (!ended) child->Kill(SIGKILL);
  TILTH_ASSIGN_OR_RETURN(output.exit, child->Wait(-1));
  output.exit.deadline_passed = !ended;
  TILTH_RETURN_IF_ERROR(pipes.Drain());
  return output;
}

}  // namespace tilth
