// What the two halves of a runner say to each other (candidate_process.h): commands down one pipe, answers up another.
//
// Every answer repeats the random nonce of the command that it answers. The half that commands believes nothing: an
// answer that does not fit ends the candidate.
#pragma once

#include <cstddef>
#include <cstdint>

namespace tilth::runner {

// Descriptors of the half that holds the candidate; it has no others. 1 is /dev/null, 2 the agent's pipe for messages.
inline constexpr int kCommandFd = 0, kAnswerFd = 3, kOutputsFd = 4;
inline constexpr int kMaxDescriptors = 16;

enum class Op : uint32_t {
  kLoad = 1,      // open the artifact                         → LoadAnswer, then its text or its buffers
  kAllocate = 2,  // memory, test data; the outputs' file has `amount` bytes → int32: 1, or 0 when there is no memory
  kPrepare = 3,   // the prepare phases                        → nothing
  kRun = 4,       // the run phases once, outputs to the file  → int32: the buffer that it wrote beyond, or -1
  kCollect = 5,   // outputs to the file                       → as kRun
  kSample = 6,    // `count` samples of `amount` runs each     → TimedSample[count]
  kFault = 7,     // never commanded: a FaultNote on the way out
};

struct Command {
  uint64_t nonce = 0;
  Op op = Op::kLoad;
  int32_t count = 0;
  int64_t amount = 0;
};

struct AnswerHeader {
  uint64_t nonce = 0;
  Op op = Op::kLoad;
  uint32_t size_bytes = 0;  // of what follows, at most kMaxAnswerBytes
};

inline constexpr size_t kMaxAnswerBytes = size_t{1} << 17;
inline constexpr int kMaxSamplesPerCommand = 64;

struct LoadAnswer {
  int32_t loaded = 0;  // 1: the buffers follow; 0: the reason does
};

struct TimedSample {
  int64_t elapsed_ns = 0;
  int64_t interrupted = 0;
};

// How the candidate died, as it saw it itself.
struct FaultNote {
  int32_t signal = 0;
  int32_t in_stack = 0;     // the address is where the stack ended
  int64_t system_call = 0;  // for SIGSYS
  uint64_t address = 0;
};

}  // namespace tilth::runner
