// The loop that every kernel peer runs, so that a driver can keep several processes alive and time them in turn.
//
// Lines on stdin, one answer line on stdout each, JSON both ways:
//   {"kind":"matmul","b":…,"m":…,"k":…,"n":…,"weights":true,"transposed":false},
//   {"kind":"softmax" or "layer_norm","m":…,"n":…},
//   {"kind":"conv2d","h":…,"w":…,"c":…,"o":…,"kh":…,"kw":…,"stride":…,"pad":…,"groups":…},
//   {"kind":"max_pool" or "average_pool", as for conv2d}
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

// One kernel on f32: matrices use m, k, n, images the second row; b is the batch.
struct Shape {
  std::string kind;
  int64_t b = 1, m = 0, k = 0, n = 0;
  int64_t h = 0, w = 0, c = 0, o = 0, kh = 1, kw = 1, stride = 1, pad = 0, groups = 1;
  bool weights = true;      // matmul: the right operand is known beforehand
  bool transposed = false;  // matmul: the right operand is [n, k], not [k, n]

  bool IsPool() const { return kind == "max_pool" || kind == "average_pool"; }
  int64_t OutputHeight() const { return (h + 2 * pad - kh) / stride + 1; }
  int64_t OutputWidth() const { return (w + 2 * pad - kw) / stride + 1; }
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
