// One function for each kind of op that is written as others.
#include "onnx/ExportForms.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace enfold::onnx {
namespace {

using Operands = std::vector<ExportOperand>;

/// Writes the nodes that stand for one; names of their results begin with its result's.
class Expansion {
public:
  Expansion(const ExportNode& node, const NodeSink& sink) : node_(node), sink_(sink) {}

  const ExportNode& node() const { return node_; }
  const ExportOperand& input(size_t i) const { return node_.inputs[i]; }

  ExportOperand number(ElemType elem, double value) {
    Tensor tensor(elem, {});
    tensor.setDouble(0, value);
    return constant(tensor);
  }
  ExportOperand constant(const Tensor& tensor) {
    return {sink_.constant(tensor, node_.outputs[0] + "/const"), tensor.elem()};
  }
  ExportOperand make(OpKind kind, Operands inputs, ElemType elem, AttrMap attrs = {}) {
    ExportOperand result{sink_.freshName(node_.outputs[0] + "/" + std::string(enfold::name(kind))),
                         elem};
    sink_.write({kind, std::move(attrs), std::move(inputs), {result.name}, elem});
    return result;
  }
  ExportOperand cast(ExportOperand x, ElemType to) {
    return x.elem == to ? x : make(OpKind::Cast, {x}, to, {{"to", to}});
  }
  /// The last node: its result is the one that is wanted.
  void finish(OpKind kind, Operands inputs, AttrMap attrs = {}) {
    sink_.write({kind, std::move(attrs), std::move(inputs), node_.outputs, node_.elem});
  }
  void finishAsIs() { sink_.write(node_); }

private:
  const ExportNode& node_;
  const NodeSink& sink_;
};

const Tensor* constantOf(const ExportOperand& operand) {
  return operand.value ? operand.value->constant() : nullptr;
}

/// The op of a kind that computes an operand; null if there is none, or it does more behind it.
const Op* producerOf(const Value* value, OpKind kind) {
  const Op* op = value ? value->producer() : nullptr;
  return op && op->kind() == kind && op->epilogue().empty() ? op : nullptr;
}

// ---- Casts of floats to integers
// -------------------------------------------------------------------

struct Range {
  double low, high;
};

Range rangeOf(ElemType elem) {
  const bool isSigned = info(elem).cls == ElemClass::Signed;
  const double high = std::ldexp(1.0, info(elem).bits - isSigned) - 1; // 64 bits: rounded up
  return {isSigned ? -std::ldexp(1.0, info(elem).bits - 1) : 0, high};
}

/// Whether a value is what inRange writes: no NaN, and between constant bounds within the range.
bool isInRange(const Value* value, const Range& range) {
  const Op* clip = producerOf(value, OpKind::Clip);
  if (!clip || !clip->own(1) || !clip->own(2)) return false;
  const Tensor *low = clip->own(1)->constant(), *high = clip->own(2)->constant();
  if (!low || !high || !(low->asDouble(0) >= range.low) || !(high->asDouble(0) <= range.high))
    return false;
  const Op* where = producerOf(clip->own(0), OpKind::Where);
  const Op* isNaN = where ? producerOf(where->own(0), OpKind::IsNaN) : nullptr;
  return isNaN && isNaN->own(0) == where->own(2) && where->own(1)->constant();
}

/// Rounds to a float below 2^bits, the nearest one there is.
double belowPowerOfTwo(ElemType elem, int bits) {
  const double power = std::ldexp(1.0, bits);
  return elem == ElemType::F64 ? std::nextafter(power, 0)
                               : std::nextafter(static_cast<float>(power), 0.0f);
}

ExportOperand withoutNaN(Expansion& expansion, const ExportOperand& x) {
  const ExportOperand isNaN = expansion.make(OpKind::IsNaN, {x}, ElemType::Bool);
  return expansion.make(OpKind::Where, {isNaN, expansion.number(x.elem, 0), x}, x.elem);
}

/// To integers of less than a byte: the low bits of what a finite number is cut to, else 0.
void writeNarrowCast(Expansion& expansion) {
  const bool wide = expansion.input(0).elem == ElemType::F64;
  const ExportOperand x = expansion.cast(expansion.input(0), wide ? ElemType::F64 : ElemType::F32);
  const ExportOperand low = expansion.make(OpKind::Mod, {x, expansion.number(x.elem, 256)}, x.elem,
                                           {{"fmod", int64_t{1}}});
  const ExportOperand whole = expansion.make(OpKind::Cast, {withoutNaN(expansion, low)},
                                             ElemType::I32, {{"to", ElemType::I32}});
  expansion.finish(OpKind::Cast, {whole}, {{"to", expansion.node().elem}});
}

void writeCast(Expansion& expansion) {
  const ElemType from = expansion.input(0).elem, to = expansion.node().elem;
  if (!isFloat(from) || !isInteger(to)) return expansion.finishAsIs();
  if (info(to).bits < 8) return writeNarrowCast(expansion);
  Range range = rangeOf(to);
  const int bits = info(to).bits;
  if (bits < 64 && isInRange(expansion.input(0).value, range)) return expansion.finishAsIs();
  // A float type that holds the bounds.
  const bool wide = from == ElemType::F64 || bits == 32;
  ExportOperand x = expansion.cast(expansion.input(0), wide ? ElemType::F64 : ElemType::F32);
  const ElemType elem = x.elem;
  x = withoutNaN(expansion, x);
  const auto clipped = [&] {
    return expansion.make(
        OpKind::Clip, {x, expansion.number(elem, range.low), expansion.number(elem, range.high)},
        elem);
  };
  if (bits < 64) return expansion.finish(OpKind::Cast, {clipped()}, {{"to", to}});
  // No float type holds the upper bound.
  const int magnitude = to == ElemType::I64 ? 63 : 64;
  const ExportOperand beyond =
      expansion.make(OpKind::GreaterOrEqual,
                     {x, expansion.number(elem, std::ldexp(1.0, magnitude))}, ElemType::Bool);
  const Tensor most = to == ElemType::I64 ? Tensor::scalar(std::numeric_limits<int64_t>::max())
                                          : Tensor::scalar(std::numeric_limits<uint64_t>::max());
  range.high = belowPowerOfTwo(elem, magnitude);
  const ExportOperand number = expansion.make(OpKind::Cast, {clipped()}, to, {{"to", to}});
  expansion.finish(OpKind::Where, {beyond, expansion.constant(most), number});
}

// ---- Division of integers
// --------------------------------------------------------------------------

bool isSafeDivisor(const ExportOperand& divisor) {
  const Tensor* numbers = constantOf(divisor);
  if (!numbers) return false;
  const bool isSigned = info(divisor.elem).cls == ElemClass::Signed;
  for (int64_t i = 0; i < numbers->numElements(); ++i)
    if (const int64_t d = numbers->asInt(i); d == 0 || (isSigned && d == -1)) return false;
  return true;
}

/// Where a divisor is 0 or, of a signed type, -1: a quotient by these is the product with them, and
/// what the division leaves is 0.
ExportOperand isSpecial(Expansion& expansion, const ExportOperand& divisor) {
  const ElemType type = divisor.elem == ElemType::U64 ? ElemType::I64 : divisor.elem;
  const ExportOperand d = expansion.cast(divisor, type);
  const auto equals = [&](double value) {
    return expansion.make(OpKind::Equal, {d, expansion.number(type, value)}, ElemType::Bool);
  };
  if (info(divisor.elem).cls != ElemClass::Signed) return equals(0);
  return expansion.make(OpKind::Or, {equals(0), equals(-1)}, ElemType::Bool);
}

/// Types narrower than 64 bits are divided in these, which more runtimes can.
void writeDivision(Expansion& expansion) {
  const ElemType elem = expansion.node().elem;
  if (!isInteger(elem) || isSafeDivisor(expansion.input(1))) return expansion.finishAsIs();
  const ElemType wide = elem == ElemType::U64 ? elem : ElemType::I64;
  const ExportOperand a = expansion.cast(expansion.input(0), wide);
  const ExportOperand b = expansion.cast(expansion.input(1), wide);
  const ExportOperand special = isSpecial(expansion, b);
  const ExportOperand divisor =
      expansion.make(OpKind::Where, {special, expansion.number(wide, 1), b}, wide);
  const OpKind kind = expansion.node().kind;
  const bool narrow = wide != elem;
  const AttrMap& attrs = expansion.node().attrs;
  if (kind == OpKind::Mod) { // by 1, too, it is 0
    if (!narrow) return expansion.finish(kind, {a, divisor}, attrs);
    return expansion.finish(OpKind::Cast, {expansion.make(kind, {a, divisor}, wide, attrs)},
                            {{"to", elem}});
  }
  const ExportOperand quotient = expansion.make(kind, {a, divisor}, wide);
  const ExportOperand product = expansion.make(OpKind::Mul, {a, b}, wide);
  const Operands chosen = {special, product, quotient};
  if (!narrow) return expansion.finish(OpKind::Where, chosen);
  expansion.finish(OpKind::Cast, {expansion.make(OpKind::Where, chosen, wide)}, {{"to", elem}});
}

/// Of floats, the modulo whose result has the sign of the divisor, zeros included.
void writeModulo(Expansion& expansion) {
  const ElemType elem = expansion.node().elem;
  const AttrMap& attrs = expansion.node().attrs;
  if (!isFloat(elem)) return writeDivision(expansion);
  if (attrs.contains("fmod")) return expansion.finishAsIs(); // of the dividend's sign
  const ExportOperand &a = expansion.input(0), &b = expansion.input(1);
  const ExportOperand zero = expansion.number(elem, 0);
  const auto isNegative = [&](const ExportOperand& x) {
    return expansion.make(OpKind::Less, {x, zero}, ElemType::Bool);
  };
  const ExportOperand rest = expansion.make(OpKind::Mod, {a, b}, elem, {{"fmod", int64_t{1}}});
  const ExportOperand signsDiffer =
      expansion.make(OpKind::Xor, {isNegative(rest), isNegative(b)}, ElemType::Bool);
  const ExportOperand moved = expansion.make(
      OpKind::Where, {signsDiffer, expansion.make(OpKind::Add, {rest, b}, elem), rest}, elem);
  const ExportOperand isZero = expansion.make(OpKind::Equal, {rest, zero}, ElemType::Bool);
  const ExportOperand signOfB = expansion.make(OpKind::Sign, {b}, elem);
  const ExportOperand signedZero = expansion.make(OpKind::Mul, {signOfB, zero}, elem);
  expansion.finish(OpKind::Where, {isZero, signedZero, moved});
}

// ---- Shifts
// ----------------------------------------------------------------------------------------

/// Signed integers are shifted from opset 28 on, which says what large counts do.
void writeShift(Expansion& expansion) {
  const ElemType elem = expansion.node().elem;
  const int bits = info(elem).bits;
  if (info(elem).cls != ElemClass::Unsigned) return expansion.finishAsIs();
  if (const Tensor* counts = constantOf(expansion.input(1))) {
    bool inRange = true;
    for (int64_t i = 0; i < counts->numElements(); ++i)
      inRange = inRange && static_cast<uint64_t>(counts->asInt(i)) < static_cast<uint64_t>(bits);
    if (inRange) return expansion.finishAsIs();
  }
  const ExportOperand most = expansion.number(elem, bits - 1);
  const ExportOperand count = expansion.input(1);
  const ExportOperand low = expansion.make(OpKind::BitwiseAnd, {count, most}, elem);
  const ExportOperand high = expansion.make(OpKind::BitwiseXor, {count, low}, elem);
  const ExportOperand shifted =
      expansion.make(OpKind::BitShift, {expansion.input(0), low}, elem, expansion.node().attrs);
  expansion.finish(OpKind::Where,
                   {expansion.cast(high, ElemType::Bool), expansion.number(elem, 0), shifted});
}

// ---- Activations
// -----------------------------------------------------------------------------------

/// x sigmoid(alpha x)
std::pair<ExportOperand, ExportOperand> swishFactors(Expansion& expansion, ExportOperand x) {
  const AttrMap& attrs = expansion.node().attrs;
  const ElemType elem = expansion.node().elem;
  ExportOperand scaled = x;
  if (const auto alpha = attrs.find("alpha"); alpha != attrs.end()) {
    const ExportOperand factor = expansion.number(elem, std::get<float>(alpha->second));
    scaled = expansion.make(OpKind::Mul, {x, factor}, elem);
  }
  return {x, expansion.make(OpKind::Sigmoid, {scaled}, elem)};
}

void writeSwish(Expansion& expansion) {
  const auto [x, gate] = swishFactors(expansion, expansion.input(0));
  expansion.finish(OpKind::Mul, {x, gate});
}

void writeSwiGLU(Expansion& expansion) {
  const auto [x, gate] = swishFactors(expansion, expansion.input(0));
  const ExportOperand swish = expansion.make(OpKind::Mul, {x, gate}, expansion.node().elem);
  expansion.finish(OpKind::Mul, {swish, expansion.input(1)});
}

// ---- Products
// ------------------------------------------------------------------------------------

void writeProduct(Expansion& expansion) {
  AttrMap attrs = expansion.node().attrs;
  if (attrs.erase("sum") == 0) return expansion.finishAsIs();
  Operands inputs = expansion.node().inputs;
  for (size_t i : {0, 1}) inputs[i] = expansion.cast(inputs[i], expansion.node().elem);
  expansion.finish(expansion.node().kind, std::move(inputs), std::move(attrs));
}

// ---- Reductions
// ------------------------------------------------------------------------------------

/// ONNX sums integers of 32 and 64 bits only; narrower ones wrap as the wide sum does when cut.
void writeSum(Expansion& expansion) {
  const ElemType elem = expansion.node().elem;
  if (!isInteger(elem) || info(elem).bits >= 32) return expansion.finishAsIs();
  Operands inputs = expansion.node().inputs;
  inputs[0] = expansion.cast(inputs[0], ElemType::I64);
  const ExportOperand sum = expansion.make(expansion.node().kind, std::move(inputs), ElemType::I64,
                                           expansion.node().attrs);
  expansion.finish(OpKind::Cast, {sum}, {{"to", elem}});
}

// ---- Selections
// ------------------------------------------------------------------------------------

/// Indices are of 32 or 64 bits.
void writeGather(Expansion& expansion) {
  const ElemType elem = expansion.input(1).elem;
  if (elem == ElemType::I32 || elem == ElemType::I64) return expansion.finishAsIs();
  const ElemType wide = info(elem).bits < 32 ? ElemType::I32 : ElemType::I64;
  expansion.finish(OpKind::Gather, {expansion.input(0), expansion.cast(expansion.input(1), wide)},
                   expansion.node().attrs);
}

/// The results are sorted, asked for or not.
void writeTopK(Expansion& expansion) {
  AttrMap attrs = expansion.node().attrs;
  if (const auto sorted = attrs.find("sorted"); sorted != attrs.end()) attrs.erase(sorted);
  expansion.finish(OpKind::TopK, expansion.node().inputs, std::move(attrs));
}

void writeSelect(Expansion& expansion) {
  Operands inputs = expansion.node().inputs;
  if (inputs[0].value && inputs[0].value->type().rank() > 0)
    inputs[0] =
        expansion.make(OpKind::Reshape, {inputs[0], expansion.constant(Tensor(ElemType::I64, {0}))},
                       ElemType::Bool);
  expansion.finish(OpKind::Where, std::move(inputs));
}

// ---- Recurrence
// ------------------------------------------------------------------------------------

/// Weights that make of products, [time, batch, directions * rows], those of each direction.
Tensor choosingWeights(ElemType elem, int64_t directions, int64_t rows) {
  Tensor w(elem, {directions, rows, directions * rows});
  for (int64_t i = 0; i < directions * rows; ++i) w.setDouble(i * directions * rows + i, 1);
  return w;
}

void writeRecurrence(Expansion& expansion) {
  Operands inputs = expansion.node().inputs;
  if (!inputs[1].name.empty()) return expansion.finishAsIs();
  const Shape& r = inputs[2].value->shape();
  inputs[1] = expansion.constant(choosingWeights(inputs[0].elem, r[0], r[1]));
  if (inputs.size() > 3 && !inputs[3].name.empty()) {
    const ExportOperand none = expansion.constant(Tensor(inputs[3].elem, {r[0], r[1]}));
    inputs[3] =
        expansion.make(OpKind::Concat, {none, inputs[3]}, inputs[3].elem, {{"axis", int64_t{1}}});
  }
  expansion.finish(expansion.node().kind, std::move(inputs), expansion.node().attrs);
}

struct Row {
  OpKind kind;
  void (*write)(Expansion&);
};
constexpr Row kRows[] = {
    {OpKind::ReduceL1, writeSum},    {OpKind::ReduceProd, writeSum},
    {OpKind::ReduceSum, writeSum},   {OpKind::ReduceSumSquare, writeSum},
    {OpKind::BitShift, writeShift},  {OpKind::Cast, writeCast},
    {OpKind::CastLike, writeCast},   {OpKind::Div, writeDivision},
    {OpKind::Gather, writeGather},   {OpKind::Mod, writeModulo},
    {OpKind::SwiGLU, writeSwiGLU},   {OpKind::Swish, writeSwish},
    {OpKind::TopK, writeTopK},       {OpKind::Select, writeSelect},
    {OpKind::LSTM, writeRecurrence}, {OpKind::GRU, writeRecurrence},
    {OpKind::RNN, writeRecurrence},  {OpKind::Conv, writeProduct},
    {OpKind::Gemm, writeProduct},    {OpKind::ConvTranspose, writeProduct},
    {OpKind::MatMul, writeProduct},
};

} // namespace

void writeNodes(const ExportNode& node, const NodeSink& sink) {
  Expansion expansion(node, sink);
  const auto* row = std::ranges::find(kRows, node.kind, &Row::kind);
  if (row == std::end(kRows)) return expansion.finishAsIs();
  row->write(expansion);
}

} // namespace enfold::onnx
