// The words of a workload's canonical text, shared by its printer and its parser.
#pragma once

#include <string_view>

#include "ir/expr.h"

namespace tilth::workload_grammar {

inline constexpr std::string_view kHeader = "tilth workload 1";

struct OpName {
  ExprOp op;
  std::string_view name;
};

inline constexpr OpName kInfix[] = {
    {ExprOp::kAdd, "+"}, {ExprOp::kSub, "-"},       {ExprOp::kMul, "*"},    {ExprOp::kDiv, "/"},
    {ExprOp::kMod, "%"}, {ExprOp::kFloorDiv, "//"}, {ExprOp::kLess, "<"},   {ExprOp::kLessEqual, "<="},
    {ExprOp::kAnd, "&"}, {ExprOp::kOr, "|"},        {ExprOp::kEqual, "=="},
};

inline constexpr OpName kFunctions[] = {
    {ExprOp::kMin, "min"},         {ExprOp::kMax, "max"},     {ExprOp::kNeg, "neg"},   {ExprOp::kAbs, "abs"},
    {ExprOp::kExp, "exp"},         {ExprOp::kLog, "log"},     {ExprOp::kSqrt, "sqrt"}, {ExprOp::kTanh, "tanh"},
    {ExprOp::kErf, "erf"},         {ExprOp::kFloor, "floor"}, {ExprOp::kCeil, "ceil"}, {ExprOp::kRound, "round"},
    {ExprOp::kSigmoid, "sigmoid"}, {ExprOp::kPow, "pow"},     {ExprOp::kNot, "not"},   {ExprOp::kSelect, "select"},
};

inline constexpr std::string_view kRoles[] = {"input", "constant", "output", "temporary"};
inline constexpr std::string_view kReductions[] = {"", "sum", "max", "min", "prod"};

}  // namespace tilth::workload_grammar
