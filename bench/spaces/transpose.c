// Transposes a matrix tile by tile; TILE, UNROLL and PREFETCH are the parameters of transpose.json.
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { kSize = 2048, kRuns = 5 };

static void Transpose(const float* restrict from, float* restrict to) {
  for (int row = 0; row < kSize; row += TILE) {
    for (int column = 0; column < kSize; column += TILE) {
      for (int i = row; i < row + TILE; ++i) {
        if (PREFETCH) __builtin_prefetch(&from[(long)i * kSize + column + TILE]);
        for (int j = column; j < column + TILE; j += UNROLL) {
          for (int k = j; k < j + UNROLL; ++k) to[(long)k * kSize + i] = from[(long)i * kSize + k];
        }
      }
    }
  }
}

static double Now(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

int main(void) {
  float* from = malloc(sizeof(float) * kSize * (kSize + TILE));
  float* to = malloc(sizeof(float) * kSize * kSize);
  if (!from || !to) return 1;
  for (long i = 0; i < (long)kSize * kSize; ++i) from[i] = (float)i;
  double best = 1e9;
  for (int run = 0; run < kRuns; ++run) {
    const double begun = Now();
    Transpose(from, to);
    const double taken = Now() - begun;
    if (taken < best) best = taken;
  }
  if (to[1] != from[kSize]) return 2;
  printf("time: %.3f us\n", 1e6 * best);
  return 0;
}
