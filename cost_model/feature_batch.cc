#include "cost_model/feature_batch.h"

#include "cost_model/features.h"
#include "cost_model/kernel_shape.h"

namespace tilth {
namespace {

constexpr int kRows = FeatureMatrix::kBlockRows;

struct alignas(64) ScratchLine {
  float rows[kRows];
};

}  // namespace

// Candidates of one shape that wait for company.
struct FeatureBatch::Pending {
  explicit Pending(const NestShape* of)
      : key(of), kernel_shape(*of), scratch(of->accesses.size() * kScratchPerAccess / kRows + 1) {}

  const NestShape* key;
  OwnedKernelShape kernel_shape;
  NestBlock block = {};
  int ids[kRows];
  int count = 0;
  std::vector<ScratchLine> scratch;
};

FeatureBatch::FeatureBatch(const Target& target, const Kernels& kernels)
    : target_(target), kernel_target_(ToKernelTarget(target)), kernels_(kernels), features_(NumFeatures()) {}

FeatureBatch::~FeatureBatch() = default;

FeatureBatch::Pending& FeatureBatch::PendingOf(const NestShape* shape) {
  if (latest_ != nullptr && latest_->key == shape) return *latest_;
  std::unique_ptr<Pending>& entry = pending_[shape];
  if (entry == nullptr) {
    entry = std::make_unique<Pending>(shape);
    in_order_.push_back(entry.get());
  }
  latest_ = entry.get();
  return *latest_;
}

void FeatureBatch::Add(const LoopNest& nest, int id) {
  Pending& pending = PendingOf(nest.shape);
  FillLane(nest, target_, pending.count, &pending.block);
  pending.ids[pending.count++] = id;
  if (pending.count == kRows) Compute(&pending);
}

void FeatureBatch::Flush() {
  for (Pending* pending : in_order_) {
    if (pending->count > 0) Compute(pending);
  }
}

void FeatureBatch::ClearRows() {
  features_.Resize(0);
  ids_.clear();
}

void FeatureBatch::Compute(Pending* pending) {
  // Lanes without a candidate repeat the first: theirs must be numbers, too.
  for (int lane = pending->count; lane < kRows; ++lane) {
    for (float* line : {pending->block.extents[0], pending->block.covered[0], pending->block.numbers[0]}) {
      const int lines = line == pending->block.numbers[0] ? static_cast<int>(kNumNestNumbers) : kKernelLoops;
      for (int i = 0; i < lines; ++i) line[i * kRows + lane] = line[i * kRows];
    }
    pending->ids[lane] = -1;
  }
  features_.Resize(features_.rows() + kRows);
  kernels_.write_features(pending->kernel_shape.shape(), kernel_target_, pending->block, pending->scratch[0].rows,
                          features_.block(features_.num_blocks() - 1));
  ids_.insert(ids_.end(), pending->ids, pending->ids + kRows);
  pending->count = 0;
}

}  // namespace tilth
