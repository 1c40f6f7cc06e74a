// The passes between import and partition, in the order in which they run.
#pragma once

#include <optional>
#include <vector>

#include "base/status.h"
#include "compiler/graph/graph.h"

namespace tilth {

// Makes a channel shuffle (reshape, transposition, reshape back) one stage over images, which no layout need interrupt.
void ComposeShuffles(Graph* graph);

// Multiplies the factor of a batch normalisation into the constant weights of the convolution before it; its offset
// becomes (part of) the bias.
void FoldBatchNormalizations(Graph* graph);

// Chooses the physical order of every tensor: channels last for what convolutions, pooling and the elementwise stages
// between them touch, row-major for graph inputs and outputs, aliases and all others. Where the two worlds meet, a copy
// stage (op "Layout") is inserted. Copies that turn out to move nothing become aliases.
void AssignLayouts(Graph* graph);

// Substitutes elementwise stages into the stages that read them, where that costs no repeated work: chains of
// elementwise operators become one stage, transpositions move into the indices of matrix products, padding into those
// of convolutions.
void InlineStages(Graph* graph);

// Lets a stage whose result is only copied (into a slice of a concatenation, or transposed with the innermost dimension
// kept) store where the copy would; a tensor that is copied whole into a slice of another lives there from the beginning.
void RedirectStores(Graph* graph);

// Cuts the stages into kernels: each group is a list of stage numbers in order, and the groups are in an order in which
// they can run. Epilogue stages may get the axes of the reduction they are fused to.
std::vector<std::vector<int>> GroupStages(Graph* graph);

// Whether `index` is the identity of a stage with these axes: dimension d is axis d (or 0 where its extent is 1).
bool IsIdentityIndex(const std::vector<Expr>& index, const std::vector<Axis>& axes);

// A stage that is a sum of products of two loads over different axes (the left one may be guarded by a select with 0).
bool IsContraction(const Stage& stage);

// Element offset of `index` in a dense row-major array of `shape` as an affine form, if it is one.
std::optional<Affine> LinearOffset(const std::vector<Expr>& index, const std::vector<int64_t>& shape, int num_indices);

}  // namespace tilth
