#include "compiler/codegen/machine_loops.h"

#include <algorithm>
#include <map>
#include <set>

namespace tilth {
namespace {

struct Block {
  size_t first, end;  // instructions
  std::vector<int> successors, predecessors;
};

std::vector<Block> Blocks(const ParsedAssembly& code) {
  const size_t size = code.instructions.size();
  std::set<size_t> starts = {0};
  for (size_t i = 0; i < size; ++i) {
    if (code.branch_target[i]) starts.insert(*code.branch_target[i]);
    if (code.branch_target[i] || code.never_falls_through[i]) starts.insert(i + 1);
  }
  std::vector<Block> blocks;
  std::map<size_t, int> block_at;
  for (auto start = starts.begin(); start != starts.end() && *start < size; ++start) {
    const auto next = std::next(start);
    block_at[*start] = static_cast<int>(blocks.size());
    blocks.push_back({*start, next == starts.end() ? size : std::min(*next, size), {}, {}});
  }
  for (size_t b = 0; b < blocks.size(); ++b) {
    const size_t last = blocks[b].end - 1;
    std::vector<size_t> next;
    if (code.branch_target[last]) next.push_back(*code.branch_target[last]);
    if (!code.never_falls_through[last]) next.push_back(blocks[b].end);
    for (const size_t at : next) {
      const auto successor = block_at.find(at);
      if (successor == block_at.end()) continue;
      blocks[b].successors.push_back(successor->second);
      blocks[successor->second].predecessors.push_back(static_cast<int>(b));
    }
  }
  return blocks;
}

// Edges back to a block that is being visited: (from, head of the loop).
std::vector<std::pair<int, int>> BackEdges(const std::vector<Block>& blocks) {
  enum State { kNew, kOpen, kDone };
  std::vector<State> states(blocks.size(), kNew);
  std::vector<std::pair<int, int>> edges;
  auto visit = [&](auto&& self, int block) -> void {
    states[block] = kOpen;
    for (const int next : blocks[block].successors) {
      if (states[next] == kOpen) edges.emplace_back(block, next);
      if (states[next] == kNew) self(self, next);
    }
    states[block] = kDone;
  };
  for (size_t b = 0; b < blocks.size(); ++b)
    if (states[b] == kNew) visit(visit, static_cast<int>(b));
  return edges;
}

// Whatever reaches `from` without passing `head`, and `head`.
void CollectLoop(const std::vector<Block>& blocks, int head, int from, std::set<int>* members) {
  members->insert(head);
  std::vector<int> open = {from};
  while (!open.empty()) {
    const int block = open.back();
    open.pop_back();
    if (!members->insert(block).second) continue;
    open.insert(open.end(), blocks[block].predecessors.begin(), blocks[block].predecessors.end());
  }
}

}  // namespace

std::vector<MachineLoop> InnermostLoops(const ParsedAssembly& code) {
  const std::vector<Block> blocks = Blocks(code);
  std::map<int, std::set<int>> loops;  // members by head
  for (const auto& [from, head] : BackEdges(blocks)) CollectLoop(blocks, head, from, &loops[head]);
  std::vector<MachineLoop> innermost;
  for (const auto& [head, members] : loops) {
    MachineLoop loop;
    bool contains_another = false;
    for (const auto& [other_head, other_members] : loops) {
      if (other_head == head) continue;
      contains_another |= members.contains(other_head);
      loop.depth += other_members.contains(head);
    }
    if (contains_another) continue;
    for (const int member : members)
      for (size_t i = blocks[member].first; i < blocks[member].end; ++i) loop.instructions.push_back(i);
    innermost.push_back(std::move(loop));
  }
  return innermost;
}

}  // namespace tilth
