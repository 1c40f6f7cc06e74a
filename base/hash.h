// Content addressing and cheap mixing.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace tilth {

// The first 128 bits of SHA-256 as 32 hexadecimal characters: the address of workloads, targets, artifacts, blobs.
std::string ContentHash(std::string_view bytes);

// A bijective 64-bit finaliser (splitmix64's): nearby inputs give unrelated outputs.
constexpr uint64_t MixBits(uint64_t x) {
  x += 0x9e3779b97f4a7c15ull;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ull;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebull;
  return x ^ (x >> 31);
}

constexpr uint64_t CombineHash(uint64_t seed, uint64_t value) { return MixBits(seed ^ (MixBits(value) + (seed << 6))); }

}  // namespace tilth
