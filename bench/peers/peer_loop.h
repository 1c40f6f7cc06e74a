// The loop that every kernel peer runs, so that a driver can keep several processes alive and time them in turn.
//
// Lines on stdin, one answer line on stdout each, JSON both ways:
//   {"kind":"matmul","m":…,"k":…,"n":…,"weights":true} or {"kind":"conv2d","n":…,"h":…,"w":…,"c":…,"o":…,"kh":…,"kw":…,"stride":…,
//   "pad":…,"groups":…}
//                 prepares that kernel: {"ready":true,"peer":"oneDNN 2.6.3"} or {"ready":false,"reason":"…"}
//   run N         takes N samples, in nanoseconds for one execution: [812345.0,…]
// The end of stdin ends the process. A peer runs on one thread.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/status.h"

namespace tilth::bench {

// One kernel: batch 1 inputs in f32; `matmul` uses m, k, n, `conv2d` the rest.
struct Shape {
  std::string kind;
  int64_t m = 0, k = 0, n = 1;
  bool weights = true;  // matmul: the right operand is known beforehand
  int64_t h = 0, w = 0, c = 0, o = 0, kh = 1, kw = 1, stride = 1, pad = 0, groups = 1;
};

// Runs the prepared kernel once.
using Kernel = std::function<void()>;
// kUnimplemented for a shape that the peer has no kernel for.
using PrepareFunction = std::function<StatusOr<Kernel>(const Shape&)>;

// `count` numbers in [-1, 1) that repeat over runs.
std::vector<float> RandomFloats(int64_t count);

// Serves requests until stdin ends; returns the exit code.
int ServePeer(const std::string& peer_name, const PrepareFunction& prepare);

// Libraries read the number of their threads from the environment before main: starts this program again with all of
// them set to one, unless they are.
void RestartWithOneThread(char** argv);

}  // namespace tilth::bench
