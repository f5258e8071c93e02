// The support table. Element types are found by trial: every op has a small sample, which inference
// and the reference function take or refuse for each type.
#include "diagnose/SupportTable.h"

#include "lower/Families.h"
#include "onnx/Import.h"
#include "onnx/OperatorTable.h"
#include "passes/Decompose.h"
#include "reference/Reference.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <map>
#include <sstream>

namespace enfold::diagnose {
namespace {

/// Operands, separated by spaces: T:2,3 is a tensor of the type on trial, f: b: i: of f32, bool
/// and i64, all ones (i: zeros); i=2,3 a list of i64; - none.
struct Sample {
  OpKind kind;
  std::string_view operands;
  AttrMap attrs = {};
};

using Ints = std::vector<int64_t>;

const std::vector<Sample>& samples() {
  using enum OpKind;
  static const std::vector<Sample> table = {
      {AffineGrid, "T:1,2,3 i=1,1,2,2"},
      {AveragePool, "T:1,1,3,3", {{"kernel_shape", Ints{2, 2}}}},
      {BatchNormalization, "T:1,2,2 T:2 T:2 T:2 T:2"},
      {BitShift, "T:2 T:2", {{"direction", std::string("LEFT")}}},
      {BitwiseNot, "T:2"},
      {CastLike, "T:2 f:2"},
      {CenterCropPad, "T:2 i=1"},
      {Col2Im, "T:1,1,4 i=2,2 i=1,1"},
      {Concat, "T:2 T:2", {{"axis", int64_t{0}}}},
      {Conv, "T:1,2,3,3 T:2,2,1,1"},
      {ConvInteger, "T:1,2,3,3 T:2,2,1,1"},
      {ConvTranspose, "T:1,2,3,3 T:2,2,1,1"},
      {CumProd, "T:2 i:"},
      {CumSum, "T:2 i:"},
      {DeformConv, "T:1,1,3,3 T:1,1,1,1 T:1,2,3,3"},
      {DepthToSpace, "T:1,4,1,1", {{"blocksize", int64_t{2}}}},
      {DequantizeLinear, "T:2 f:1"},
      {Det, "T:2,2"},
      {Einsum, "T:2,2 T:2,2", {{"equation", std::string("ij,jk")}}},
      {Expand, "T:1 i=2"},
      {EyeLike, "T:2,2"},
      {GRU, "T:2,1,2 T:1,6,2 T:1,6,2"},
      {Gather, "T:2 i=0"},
      {GatherElements, "T:2 i=0"},
      {GatherND, "T:2 i=0"},
      {Gemm, "T:2,2 T:2,2"},
      {GlobalAveragePool, "T:1,1,3,3"},
      {GlobalLpPool, "T:1,1,3,3"},
      {GlobalMaxPool, "T:1,1,3,3"},
      {GridSample, "T:1,1,2,2 T:1,1,1,2"},
      {GroupNormalization, "T:1,2,2 T:2 T:2", {{"num_groups", int64_t{1}}}},
      {InstanceNormalization, "T:1,2,2 T:2 T:2"},
      {LRN, "T:1,2,2,2", {{"size", int64_t{1}}}},
      {LSTM, "T:2,1,2 T:1,8,2 T:1,8,2"},
      {LayerNormalization, "T:2,2 T:2"},
      {LpPool, "T:1,1,3,3", {{"kernel_shape", Ints{2, 2}}}},
      {MatMul, "T:2,2 T:2,2"},
      {MatMulInteger, "T:2,2 T:2,2"},
      {MaxPool, "T:1,1,3,3", {{"kernel_shape", Ints{2, 2}}}},
      {MaxRoiPool, "T:2,1,3,3 T:1,5", {{"pooled_shape", Ints{1, 1}}}},
      {MaxUnpool, "T:1,1,1,1 i:1,1,1,1", {{"kernel_shape", Ints{2, 2}}}},
      {MeanVarianceNormalization, "T:1,1,2,2"},
      {OneHot, "i=0 i=2 T:2"},
      {Pad, "T:2 i=0,1"},
      {QLinearConv, "T:1,1,2,2 f: T: T:1,1,1,1 f: T: f: T:"},
      {QLinearMatMul, "T:2,2 f: T: T:2,2 f: T: f: T:"},
      {QuantizeLinear, "T:2 f:1"},
      {RMSNormalization, "T:2,2 T:2"},
      {RNN, "T:2,1,2 T:1,2,2 T:1,2,2"},
      {Range, "T: T: T:"},
      {Reshape, "T:2 i=2"},
      {Resize, "T:1,1,2,2 - f:4"},
      {ReverseSequence, "T:2,2 i=1,1"},
      {RoiAlign, "T:1,1,3,3 T:1,4 i:1"},
      {ScatterElements, "T:2 i=0 T:1"},
      {ScatterND, "T:2 i:1,1 T:1"},
      {Slice, "T:2 i=0 i=1"},
      {SpaceToDepth, "T:1,1,2,2", {{"blocksize", int64_t{2}}}},
      {Squeeze, "T:1,2 i=0"},
      {Tile, "T:2 i=2"},
      {TopK, "T:2 i=1"},
      {Trilu, "T:2,2"},
      {Unsqueeze, "T:2 i=0"},
      {Where, "b:2 T:2 T:2"},
  };
  return table;
}

Ints numbersOf(std::string_view text) {
  Ints numbers;
  std::istringstream in{std::string(text)};
  for (std::string number; std::getline(in, number, ',');) numbers.push_back(std::stoll(number));
  return numbers;
}

Tensor sampleTensor(std::string_view word, ElemType elem) {
  const Ints numbers = numbersOf(word.substr(2));
  if (word.starts_with("i="))
    return Tensor::of<int64_t>({static_cast<int64_t>(numbers.size())}, numbers);
  if (word[0] == 'i') return Tensor(ElemType::I64, numbers);
  Tensor tensor(word[0] == 'f' ? ElemType::F32 : word[0] == 'b' ? ElemType::Bool : elem, numbers);
  for (int64_t i = 0; i < tensor.numElements(); ++i) tensor.setDouble(i, 1);
  return tensor;
}

/// An op's sample; without one in the table, its required operands are two elements each.
Sample sampleOf(const OpInfo& row) {
  const auto found = std::ranges::find(samples(), row.kind, &Sample::kind);
  Sample sample = found != samples().end() ? *found : Sample{row.kind, "T:2"};
  if (found == samples().end()) {
    const auto required = std::ranges::count(row.operands, false, &OperandInfo::optional);
    if (required == 2) sample.operands = "T:2 T:2";
    if (required == 3) sample.operands = "T:2 T:2 T:2";
  }
  return sample;
}

bool takes(const Sample& sample, ElemType elem) {
  Graph graph;
  std::vector<Tensor> tensors;
  std::vector<Value*> operands;
  std::istringstream in{std::string(sample.operands)};
  std::vector<const Tensor*> values;
  for (std::string word; in >> word;) {
    if (word == "-") {
      operands.push_back(nullptr);
      continue;
    }
    operands.push_back(graph.constant(sampleTensor(word, elem), ""));
  }
  for (const Value* operand : operands) values.push_back(operand ? operand->constant() : nullptr);
  AttrMap attrs = sample.attrs;
  if (const AttrInfo* to = info(sample.kind).attr("to"); to && to->required)
    attrs.emplace("to", sample.kind == OpKind::Cast ? ElemType::F32 : elem);
  const auto op = graph.create({.kind = sample.kind, .operands = operands, .attrs = attrs});
  return op && reference::evaluate(**op, values);
}

/// "f16 bf16 f32 f64, int, bool": groups whose members are all taken go by their name.
std::string elemTypesOf(const OpInfo& row) {
  if (row.kind == OpKind::Constant || row.kind == OpKind::ConstantOfShape) return "all";
  if (row.kind == OpKind::NonMaxSuppression) return "f32"; // its result has no type to be inferred
  static const std::vector<std::pair<std::string, std::vector<ElemType>>> groups = {
      {"float", {ElemType::F16, ElemType::BF16, ElemType::F32, ElemType::F64}},
      {"int",
       {ElemType::I8, ElemType::I16, ElemType::I32, ElemType::I64, ElemType::U8, ElemType::U16,
        ElemType::U32, ElemType::U64}},
      {"bool", {ElemType::Bool}}};
  const Sample sample = sampleOf(row);
  std::vector<std::string> names;
  for (const auto& [name, elems] : groups) {
    std::vector<std::string> taken;
    for (const ElemType elem : elems)
      if (takes(sample, elem)) taken.emplace_back(enfold::name(elem));
    if (taken.size() == elems.size())
      names.push_back(name);
    else if (!taken.empty())
      names.push_back(fmt::format("{}", fmt::join(taken, " ")));
  }
  return fmt::format("{}", fmt::join(names, ", "));
}

/// "7–13, 14+": the opsets of each form that is handled.
std::string opsetsOf(std::string_view type, std::span<const onnx::OperatorRow> table) {
  std::string text;
  for (const onnx::OperatorRow& row : table) {
    if (row.type != type) continue;
    text += text.empty() ? "" : ", ";
    text += row.to == onnx::kNewestOpset ? fmt::format("{}+", row.from)
            : row.from == row.to         ? fmt::format("{}", row.from)
                                         : fmt::format("{}–{}", row.from, row.to);
  }
  return text;
}

/// What has neither kernels nor a form in other operators, and why.
struct Special {
  OpKind kind;
  const char* how;
};

constexpr const char* kKnown = "computed at compile time";
constexpr Special kSpecial[] = {
    {OpKind::Dropout, "removed; in training mode, a reference function"},
    {OpKind::BatchNormalization, "folded, or rewritten as other operators"},
    {OpKind::Shape, kKnown},
    {OpKind::Size, kKnown},
    {OpKind::ConstantOfShape, kKnown},
    {OpKind::Range, kKnown},
    {OpKind::EyeLike, kKnown},
    {OpKind::BitCast, "reference function: copies bytes; rarely used"},
    {OpKind::NonMaxSuppression, "reference function: runs once, on few boxes, in sequence"},
    {OpKind::Col2Im, "reference function: scatters; rarely used"},
    {OpKind::MaxUnpool, "reference function: scatters; rarely used"},
    {OpKind::Det, "reference function: eliminates in sequence; rarely used"},
    {OpKind::MaxRoiPool, "reference function: regions are known only at run time"},
    {OpKind::RoiAlign, "reference function: regions are known only at run time"},
    {OpKind::GridSample, "reference function: positions are known only at run time"},
    {OpKind::DeformConv, "reference function: positions are known only at run time"},
};

} // namespace

std::string howItRuns(const OpInfo& row) {
  if (row.is(traits::ShapeOnly) || row.kind == OpKind::Identity) return "no work; shares memory";
  if (row.kind == OpKind::Constant) return "data in the program";
  std::string names;
  for (const lower::Family& family : lower::families())
    if (std::ranges::find(family.kinds, row.kind) != family.kinds.end())
      names += (names.empty() ? "" : ", ") + std::string(family.name);
  if (!names.empty()) return "generated: " + names;
  if (isDecomposed(row.kind)) return "rewritten as other operators";
  const auto* special = std::ranges::find(kSpecial, row.kind, &Special::kind);
  return special == std::end(kSpecial) ? "reference function" : special->how;
}

SupportTable supportTable() {
  SupportTable table{.oldestOpset = onnx::kOldestOpset, .newestOpset = onnx::kNewestOpset};
  for (const OpInfo& row : opTable())
    if (std::string opsets = opsetsOf(row.onnxName, onnx::onnxOperators()); !opsets.empty())
      table.operators.push_back(
          {std::string(row.onnxName), std::move(opsets), elemTypesOf(row), howItRuns(row)});
  const auto add = [](std::string_view name, std::vector<std::string>& names) {
    if (names.empty() || names.back() != name) names.emplace_back(name);
  };
  for (const onnx::OperatorRow& row : onnx::onnxOperators())
    if (std::ranges::find(opTable(), row.type, &OpInfo::onnxName) == opTable().end())
      add(row.type, table.rewritten);
  for (const onnx::OperatorRow& row : onnx::mlOperators()) add(row.type, table.ml);
  for (const onnx::OperatorRow& row : onnx::microsoftOperators()) add(row.type, table.microsoft);
  for (const onnx::OperatorRow& row : onnx::nchwcOperators()) add(row.type, table.nchwc);
  return table;
}

Json toJson(const SupportTable& table) {
  Json json = {{"version", 1},
               {"oldest_opset", table.oldestOpset},
               {"newest_opset", table.newestOpset},
               {"operators", Json::array()},
               {"rewritten", table.rewritten},
               {"ml", table.ml},
               {"microsoft", table.microsoft},
               {"nchwc", table.nchwc}};
  for (const OperatorSupport& row : table.operators)
    json["operators"].push_back({{"name", row.name},
                                 {"opsets", row.opsets},
                                 {"element_types", row.elemTypes},
                                 {"runs_as", row.runsAs}});
  return json;
}

} // namespace enfold::diagnose
