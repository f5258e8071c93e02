// Builder: writes a kernel as nested C++ lambdas.
//
//   Builder b("scale_f32");
//   Buffer src = b.input("src", Scalar::F32, n), dst = b.output("dst", Scalar::F32, n);
//   b.parallelFor("i", n / 8, [&](const Index& i) {
//     b.store(dst[i * 8], b.load(src[i * 8], 8) * 2.0);
//   });
//   Kernel kernel = b.finish();
//
// Instructions are emitted in the order C++ evaluates the calls, which is not specified inside one
// expression; name the loads of one statement first if their order matters to you.
//
// Misuse (mismatched types, an access out of bounds with a constant index) is a bug of the author:
// the verifier reports it when the kernel is finished and checked, naming the instruction.
#pragma once

#include "kernel/SharedValues.h"
#include "kernel/Value.h"

#include <memory>
#include <string>

namespace enfold::kir {

class SkeletonWriter;

class Builder {
public:
  explicit Builder(std::string name);
  ~Builder();
  Builder(const Builder&) = delete;
  Builder& operator=(const Builder&) = delete;

  // ---- Buffers. Sizes are in elements. Parameters keep the order of declaration. ----
  Buffer input(std::string name, Scalar elem, int64_t size);
  Buffer output(std::string name, Scalar elem, int64_t size);
  /// Read and written; the only way for a kernel to work in place.
  Buffer inout(std::string name, Scalar elem, int64_t size);
  /// A region of the thread's scratch, 64-byte aligned.
  Buffer scratch(std::string name, Scalar elem, int64_t size);
  /// A small array on the stack, 64-byte aligned.
  Buffer local(std::string name, Scalar elem, int64_t size);

  // ---- Control ----
  /// The kernel's one parallel loop, over [0, iterations).
  template <typename F> void parallelFor(std::string_view name, int64_t iterations, F&& body) {
    body(beginParallel(name, iterations));
    endBlock();
  }
  /// The same over a grid, the last dimension fastest: body(i0, i1, …) through a span. Where loose
  /// ranges are wanted, the first dimension, which mostly counts images, and those `varying` may
  /// have any extent, even if they have 1.
  template <typename F>
  void parallelGrid(std::span<const int64_t> extents, std::span<const std::string_view> names,
                    std::initializer_list<size_t> varying, F&& body) {
    const std::vector<Index> coordinates = beginGrid(extents, names, varying);
    body(std::span<const Index>(coordinates));
    endBlock();
  }

  template <typename F>
  void parallelGrid(std::span<const int64_t> extents, std::span<const std::string_view> names,
                    F&& body) {
    parallelGrid(extents, names, {}, std::forward<F>(body));
  }

  /// for (i = lo; i < hi; i += step). A loop of one iteration is just its body; one of none is not
  /// built.
  template <typename F>
  void forLoop(std::string_view name, const Index& lo, const Index& hi, int64_t step, F&& body) {
    if (isEmpty(lo, hi)) return;
    if (auto only = onlyIteration(lo, hi, step)) {
      body(*only);
    } else {
      body(beginFor(name, lo, hi, step, Unroll::None));
      endBlock();
    }
  }
  template <typename F>
  void forLoop(std::string_view name, const Index& lo, const Index& hi, F&& body) {
    forLoop(name, lo, hi, 1, std::forward<F>(body));
  }
  /// A loop with constant bounds that is written once and generated `hi - lo` times.
  template <typename F> void unrolledLoop(std::string_view name, int64_t lo, int64_t hi, F&& body) {
    if (isEmpty(lo, hi)) return;
    if (auto only = onlyIteration(lo, hi, 1)) {
      body(*only);
    } else {
      body(beginFor(name, lo, hi, 1, Unroll::Full));
      endBlock();
    }
  }
  template <typename Then> void ifThen(const Condition& condition, Then&& then) {
    ifElse(condition, std::forward<Then>(then), [] {});
  }
  /// A condition known while writing keeps only the branch taken.
  template <typename Then, typename Else>
  void ifElse(const Condition& condition, Then&& then, Else&& otherwise) {
    if (auto known = condition.known()) {
      if (*known)
        then();
      else
        otherwise();
      return;
    }
    beginIf(condition.value());
    then();
    beginElse();
    otherwise();
    endBlock();
  }

  // ---- Variables: mutable registers that live until the end of their block ----
  Var var(std::string name, const Value& initial);

  // ---- Constants and indices ----
  /// Every lane is `number`; for integers it must be a whole number, for bool 0 or 1.
  Value constant(Type type, double number);
  Value constantInt(Type type, int64_t number);
  Value zero(Type type) { return constantInt(type, 0); }
  /// Lane i is i.
  Value iota(Type type);
  /// An index as a value, and a scalar index or integer value as an index.
  Value value(const Index& index) { return sum(index.terms(), index.offset()); }
  Index index(const Value& value);
  Index index(const Value& value, Range range);
  Value value(const Condition& condition);

  // ---- Arithmetic beyond the operators on Value ----
  Value fma(const Value& a, const Value& b, const Value& c);
  /// Products of the words of a and b, added to the lanes of `sum`.
  Value dot(const Value& sum, const Value& a, const Value& b);
  Value min(const Value& a, const Value& b) { return apply(Op::Min, a, b); }
  Value max(const Value& a, const Value& b) { return apply(Op::Max, a, b); }
  Value minFast(const Value& a, const Value& b) { return apply(Op::MinFast, a, b); }
  Value maxFast(const Value& a, const Value& b) { return apply(Op::MaxFast, a, b); }
  Value floorDiv(const Value& a, const Value& b) { return apply(Op::FloorDiv, a, b); }
  Value floorMod(const Value& a, const Value& b) { return apply(Op::FloorMod, a, b); }
  Value pow(const Value& a, const Value& b) { return apply(Op::Pow, a, b); }
  Value abs(const Value& a) { return apply(Op::Abs, a); }
  Value sqrt(const Value& a) { return apply(Op::Sqrt, a); }
  Value rsqrt(const Value& a) { return apply(Op::Rsqrt, a); }
  Value floor(const Value& a) { return apply(Op::Floor, a); }
  Value ceil(const Value& a) { return apply(Op::Ceil, a); }
  Value round(const Value& a) { return apply(Op::Round, a); }
  Value trunc(const Value& a) { return apply(Op::Trunc, a); }
  Value exp(const Value& a) { return apply(Op::Exp, a); }
  Value log(const Value& a) { return apply(Op::Log, a); }
  Value sigmoid(const Value& a) { return apply(Op::Sigmoid, a); }
  Value tanh(const Value& a) { return apply(Op::Tanh, a); }
  Value erf(const Value& a) { return apply(Op::Erf, a); }
  Value normalCdf(const Value& a) { return apply(Op::NormalCdf, a); }
  Value elu(const Value& a) { return apply(Op::Elu, a); }
  /// Any instruction on one or two values of one type, by name; the rarer functions are used so.
  Value unary(Op op, const Value& a) { return apply(op, a); }
  Value binary(Op op, const Value& a, const Value& b) { return apply(op, a, b); }
  Value select(const Value& condition, const Value& yes, const Value& no);

  // ---- Conversions ----
  Value cast(const Value& a, Scalar to);
  Value castSat(const Value& a, Scalar to);
  /// The bytes of `a` as lanes of another type, which may be more or fewer.
  Value bitcast(const Value& a, Scalar to);

  // ---- Lanes ----
  Value splat(const Value& scalar, int lanes);
  Value extract(const Value& vector, int lane);
  Value insert(const Value& vector, const Value& scalar, int lane);
  /// Lane i of the result is lane mask[i] of a followed by b; -1 leaves it undefined.
  Value shuffle(const Value& a, const Value& b, std::span<const int> mask);
  Value shuffle(const Value& a, const Value& b, std::initializer_list<int> mask) {
    return shuffle(a, b, std::span(mask.begin(), mask.size()));
  }
  Value slice(const Value& a, int first, int lanes);
  Value concat(const Value& a, const Value& b);
  /// a0 b0 a1 b1 …
  Value interleave(const Value& a, const Value& b);
  /// Every lane of `a` whose number is first, first + step, ….
  Value everyLane(const Value& a, int first, int step);
  Value reduceAdd(const Value& a) { return reduce(Op::ReduceAdd, a); }
  Value reduceMin(const Value& a) { return reduce(Op::ReduceMin, a); }
  Value reduceMax(const Value& a) { return reduce(Op::ReduceMax, a); }
  Value reduce(Op op, const Value& a);

  // ---- Memory ----
  Value load(const Place& from, int lanes = 1);
  Value broadcast(const Place& from, int lanes);
  /// `word` contiguous elements, `times` over.
  Value broadcastWord(const Place& from, int word, int times);
  /// The first `count` lanes from memory, the others from `fill`.
  Value loadPartial(const Place& from, const Index& count, const Value& fill);
  Value loadStrided(const Place& from, int64_t stride, int lanes);
  Value gather(const Place& from, const Value& offsets);
  void store(const Place& to, const Value& value);
  void storePartial(const Place& to, const Value& value, const Index& count);
  /// Bypasses the cache where the address allows, for results that are not read again soon.
  void storeStream(const Place& to, const Value& value);
  void scatter(const Place& to, const Value& offsets, const Value& value);
  void prefetch(const Place& place);
  /// See Op.h.
  void barrier();
  // ---- Tiles: see Op.h. `stride` is in elements, between rows. ----
  void tileZero(int tile);
  void tileLoad(int tile, const Place& from, int64_t stride);
  /// The bytes or bf16 of tile a are of that type.
  void tileDot(int sum, int a, int b, Scalar scalar);
  void tileStore(const Place& to, int64_t stride, int tile);
  /// load and store with a cast from or to the buffer's element type.
  Value loadAs(Scalar scalar, const Place& from, int lanes = 1) {
    return cast(load(from, lanes), scalar);
  }
  void storeAs(const Place& to, const Value& value) { store(to, cast(value, to.buffer.elem())); }

  // ---- The end ----
  Kernel finish();

  const BufferInfo& bufferInfo(BufferId id) const { return kernel_.buffers[id]; }
  Range rangeOf(ValueId id) const { return kernel_.values[id].range; }
  /// A binary instruction on indices, whose result has the given range.
  Index indexOp(Op op, const Index& a, const Index& b, Range range);
  Condition compare(Op op, const Index& a, const Index& b);
  Value emit(Inst inst);
  void emitEffect(Inst inst);

private:
  friend class Var;
  /// A block being written, and how many values were shared when it began.
  struct Frame {
    Inst owner;
    Block block;
    size_t numShared = 0;
  };

  Buffer addBuffer(BufferInfo info);
  ValueId newValue(Type type, Range range = {});
  void append(Inst&& inst);
  /// Begins a block of the instruction.
  void open(Inst owner);
  /// The value of a pure instruction, reused if an enclosing block has computed it.
  ValueId emitShared(Inst inst, Range range);
  /// The same where the one looked for last is not there.
  ValueId addShared(Inst inst, Range range);
  Value sum(const Index::Terms& terms, int64_t offset);
  Inst memoryInst(Op op, const Place& place, Type type);
  Index beginParallel(std::string_view name, int64_t iterations);
  std::vector<Index> beginGrid(std::span<const int64_t> extents,
                               std::span<const std::string_view> names,
                               std::initializer_list<size_t> varying);
  Index beginFor(std::string_view name, const Index& lo, const Index& hi, int64_t step,
                 Unroll unroll);
  void beginIf(const Value& condition);
  void beginElse();
  void endBlock();
  /// The only value a loop variable takes, if the bounds are constant and give one.
  static bool isEmpty(const Index& lo, const Index& hi);
  static std::optional<Index> onlyIteration(const Index& lo, const Index& hi, int64_t step);

  Kernel kernel_;
  std::vector<Frame> frames_;
  SharedValues shared_;                     ///< constants and index expressions, in the open blocks
  std::unique_ptr<SkeletonWriter> outline_; ///< set if the kernel is not to be written out
};

} // namespace enfold::kir
