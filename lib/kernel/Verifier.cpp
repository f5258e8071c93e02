// The rules, one function for each kind of instruction.
#include "kernel/Verifier.h"

#include "kernel/Printer.h"

#include <fmt/format.h>

#include <algorithm>

namespace enfold::kir {
namespace {

bool canCompute(Scalar s) { return s != Scalar::Bool && !isHalf(s); }

class Verifier {
public:
  explicit Verifier(const Kernel& kernel)
      : kernel_(kernel), valueOpen_(kernel.values.size()), varOpen_(kernel.vars.size()) {}

  Result<> run() {
    checkBuffers();
    checkParallel();
    block(kernel_.body);
    if (diags_.empty()) return {};
    return std::unexpected(Error(ErrorKind::Invalid, std::move(diags_)));
  }

private:
  void report(std::string message) {
    std::string place = "kernel " + kernel_.name;
    if (current_) place += ", '" + print(kernel_, *current_) + "'";
    diags_.push_back({std::move(message), std::move(place)});
  }

  bool require(bool condition, std::string_view message) {
    if (!condition) report(std::string(message));
    return condition;
  }

  void checkBuffers() {
    for (const BufferInfo& b : kernel_.buffers) {
      if (b.size < 0) report(fmt::format("buffer {} has a negative size", b.name));
      bool inScratch =
          b.offset >= 0 && b.offset % 64 == 0 && b.offset + b.bytes() <= kernel_.scratchBytes;
      if (b.space == Space::Scratch && !inScratch)
        report(fmt::format("buffer {} is not inside the scratch, or not aligned", b.name));
      if (b.elem == Scalar::Index)
        report(fmt::format("buffer {} has no element type of memory", b.name));
    }
  }

  void checkParallel() {
    auto isParallel = [](const Inst& inst) { return inst.op == Op::Parallel; };
    if (std::ranges::count_if(kernel_.body, isParallel) != 1 || !isParallel(kernel_.body.back()))
      report("the body must end in its one parallel loop");
    else if (kernel_.body.back().imm != kernel_.iterations || kernel_.iterations < 0)
      report("the parallel loop must have the kernel's number of iterations");
  }

  Type typeOf(const Inst& inst, size_t operand) const {
    return kernel_.values[inst.operands[operand]].type;
  }

  // ---- Scopes ----

  void block(const Block& insts) {
    size_t values = openValues_.size(), vars = openVars_.size();
    ++depth_;
    for (const Inst& inst : insts) {
      current_ = &inst;
      instruction(inst);
    }
    --depth_;
    for (; openValues_.size() > values; openValues_.pop_back())
      valueOpen_[openValues_.back()] = false;
    for (; openVars_.size() > vars; openVars_.pop_back()) varOpen_[openVars_.back()] = false;
    current_ = nullptr;
  }

  bool operandsAreOpen(const Inst& inst) {
    int wanted = info(inst.op).operands;
    if (!require(wanted < 0 || wanted == static_cast<int>(inst.operands.size()),
                 "wrong number of operands"))
      return false;
    return require(
        std::ranges::all_of(inst.operands,
                            [&](ValueId id) { return id < valueOpen_.size() && valueOpen_[id]; }),
        "uses a value that is not defined here");
  }

  void define(const Inst& inst) {
    if (inst.result == kNoId) return;
    if (!require(inst.result < valueOpen_.size() && !valueOpen_[inst.result],
                 "defines a value twice"))
      return;
    valueOpen_[inst.result] = true;
    openValues_.push_back(inst.result);
  }

  void instruction(const Inst& inst) {
    if (!operandsAreOpen(inst)) return;
    OpKind kind = info(inst.op).kind;
    if (kind == OpKind::Control) return control(inst);
    switch (kind) {
    case OpKind::Constant:
      constant(inst);
      break;
    case OpKind::Affine:
      affine(inst);
      break;
    case OpKind::Unary:
    case OpKind::Binary:
      sameTypes(inst);
      require(canCompute(inst.type.scalar), "computes with a type that is only stored or moved");
      break;
    case OpKind::Ternary:
    case OpKind::FloatUnary:
    case OpKind::FloatBinary:
      sameTypes(inst);
      require(isFloat(inst.type.scalar) && !isHalf(inst.type.scalar), "needs f32 or f64");
      break;
    case OpKind::Dot:
      dot(inst);
      break;
    case OpKind::Bitwise:
      sameTypes(inst);
      require(!isFloat(inst.type.scalar), "needs integers or bool");
      break;
    case OpKind::Shift:
      sameTypes(inst);
      require(isInteger(inst.type.scalar), "needs integers");
      break;
    case OpKind::Compare:
      compare(inst);
      break;
    case OpKind::Select:
      select(inst);
      break;
    case OpKind::Convert:
      convert(inst);
      break;
    case OpKind::Lanes:
      lanes(inst);
      break;
    case OpKind::Reduce:
      require(typeOf(inst, 0).withLanes(1) == inst.type, "must give one lane of its operand");
      require(canCompute(inst.type.scalar), "computes with a type that is only stored or moved");
      break;
    case OpKind::Memory:
      memory(inst);
      break;
    case OpKind::Variable:
      variable(inst);
      break;
    case OpKind::Tile:
      require(namesTiles(inst, inst.op == Op::TileDot ? 3 : 1), "names other tiles than there are");
      require(inst.op == Op::TileZero ? inst.type == tileRow(Scalar::I32) : isFactor(inst.type),
              "multiplies rows of other types than i8, u8 and bf16");
      break;
    case OpKind::Order:
    case OpKind::Control:
      break;
    }
    if (inst.result != kNoId && inst.result < kernel_.values.size())
      require(kernel_.values[inst.result].type == inst.type && inst.type.lanes > 0,
              "the value's type is not the instruction's");
    define(inst);
  }

  // ---- Rules ----

  void sameTypes(const Inst& inst) {
    for (size_t i = 0; i < inst.operands.size(); ++i)
      if (typeOf(inst, i) != inst.type)
        return report(
            fmt::format("operand {} is {}, not {}", i, typeOf(inst, i).str(), inst.type.str()));
  }

  void constant(const Inst& inst) {
    if (inst.type.scalar == Scalar::Bool)
      require(inst.imm == 0 || inst.imm == 1, "a bool is 0 or 1");
    if (inst.op == Op::Iota) require(canCompute(inst.type.scalar), "iota of a storage type");
  }

  void affine(const Inst& inst) {
    require(inst.type == index() && inst.ints.size() == inst.operands.size(),
            "needs a coefficient for each index");
    for (size_t i = 0; i < inst.operands.size(); ++i)
      require(typeOf(inst, i) == index(), "needs scalar index operands");
  }

  void dot(const Inst& inst) {
    const Type sum = typeOf(inst, 0), a = typeOf(inst, 1), b = typeOf(inst, 2);
    const auto isByte = [](Type t) { return t.scalar == Scalar::I8 || t.scalar == Scalar::U8; };
    const bool both = a.scalar == b.scalar;
    require((isByte(a) && isByte(b)) ||
                (both && (a.scalar == Scalar::I16 || a.scalar == Scalar::BF16)),
            "multiplies 8-bit integers, i16 or bf16");
    require(inst.type == sum &&
                sum.scalar == (a.scalar == Scalar::BF16 ? Scalar::F32 : Scalar::I32),
            "needs sums of i32, or of f32 for bf16");
    require(a.sizeInBytes() == sum.sizeInBytes() && b.sizeInBytes() == sum.sizeInBytes(),
            "needs a word for each sum");
  }

  void compare(const Inst& inst) {
    require(typeOf(inst, 0) == typeOf(inst, 1), "compares different types");
    require(!isHalf(typeOf(inst, 0).scalar), "compares a type that is only stored or moved");
    require(inst.type == typeOf(inst, 0).withScalar(Scalar::Bool), "must give bool");
  }

  void select(const Inst& inst) {
    Type condition = typeOf(inst, 0);
    require(condition.scalar == Scalar::Bool &&
                (condition.lanes == 1 || condition.lanes == inst.type.lanes),
            "needs a bool condition of one lane or as many as the result");
    require(typeOf(inst, 1) == inst.type && typeOf(inst, 2) == inst.type,
            "chooses between different types");
  }

  void convert(const Inst& inst) {
    Type from = typeOf(inst, 0);
    if (inst.op == Op::Bitcast) {
      require(from.scalar != Scalar::Bool && inst.type.scalar != Scalar::Bool &&
                  from.sizeInBytes() == inst.type.sizeInBytes(),
              "needs as many bytes");
      return;
    }
    require(from.lanes == inst.type.lanes, "changes the number of lanes");
    if (inst.op == Op::CastSat)
      require(canCompute(from.scalar) && isInteger(inst.type.scalar),
              "saturates only from numbers to integers");
  }

  void lanes(const Inst& inst) {
    Type from = typeOf(inst, 0);
    require(from.scalar == inst.type.scalar, "changes the element type");
    auto inside = [&](int64_t lane, int64_t count) { return lane >= 0 && lane < count; };
    switch (inst.op) {
    case Op::Splat:
      require(from.lanes == 1, "needs a scalar");
      break;
    case Op::Extract:
      require(inst.type.lanes == 1 && inside(inst.imm, from.lanes), "lane out of range");
      break;
    case Op::Insert:
      require(from == inst.type && inside(inst.imm, from.lanes), "lane out of range");
      require(typeOf(inst, 1) == from.withLanes(1), "inserts something else than one lane");
      break;
    default:
      require(typeOf(inst, 1) == from, "shuffles different types");
      require(static_cast<int>(inst.ints.size()) == inst.type.lanes, "wrong length of the mask");
      for (int64_t lane : inst.ints)
        require(lane == -1 || inside(lane, 2 * from.lanes), "lane out of range");
    }
  }

  void memory(const Inst& inst) {
    if (!require(inst.buffer < kernel_.buffers.size(), "unknown buffer")) return;
    const BufferInfo& buffer = kernel_.buffers[inst.buffer];
    require(typeOf(inst, 0) == index(), "needs a scalar index");
    require(inst.type.scalar == buffer.elem && inst.type.lanes > 0,
            "moves another type than the buffer's");
    bool writes = inst.op == Op::Store || inst.op == Op::StorePartial ||
                  inst.op == Op::StoreStream || inst.op == Op::Scatter || inst.op == Op::TileStore;
    require(buffer.access == Access::ReadWrite || inst.op == Op::Prefetch ||
                (buffer.access == Access::Write) == writes,
            writes ? "writes a buffer declared as read" : "reads a buffer declared as write");
    require(!writes || depth_ > 1 || buffer.space != Space::Param,
            "writes a parameter outside the parallel loop");
    memoryOperands(inst, buffer);
    bounds(inst, buffer);
  }

  void memoryOperands(const Inst& inst, const BufferInfo& buffer) {
    auto offsets = [&](size_t i) {
      require(isInteger(typeOf(inst, i).scalar) && typeOf(inst, i).lanes == inst.type.lanes,
              "needs an integer offset for each lane");
    };
    auto valueAndCount = [&](size_t value, size_t count) {
      require(typeOf(inst, value) == inst.type, "moves another type than the value's");
      require(typeOf(inst, count) == index(), "needs an index as count");
    };
    switch (inst.op) {
    case Op::LoadPartial:
      valueAndCount(2, 1);
      break;
    case Op::StorePartial:
      valueAndCount(1, 2);
      break;
    case Op::Gather:
      offsets(1);
      break;
    case Op::Scatter:
      offsets(1);
      require(typeOf(inst, 2) == inst.type, "moves another type than the value's");
      break;
    case Op::Store:
    case Op::StoreStream:
      require(typeOf(inst, 1) == inst.type, "moves another type than the value's");
      break;
    case Op::LoadStrided:
      require(inst.stride != 0, "needs a stride");
      break;
    case Op::BroadcastWord:
      require(inst.stride > 0 && inst.type.lanes % inst.stride == 0, "needs lanes of whole words");
      break;
    case Op::TileLoad:
    case Op::TileStore:
      require(namesTiles(inst, 1), "names other tiles than there are");
      require(inst.type == tileRow(buffer.elem) &&
                  (isFactor(inst.type) || inst.type.scalar == Scalar::I32 ||
                   inst.type.scalar == Scalar::F32),
              "moves rows of other types than i8, u8, bf16, i32 and f32");
      require(inst.stride >= (inst.op == Op::TileStore ? inst.type.lanes : 0),
              "needs a stride, of stores at least the length of a row");
      break;
    default:
      break;
    }
  }

  static bool isFactor(Type type) {
    return type == tileRow(Scalar::I8) || type == tileRow(Scalar::U8) ||
           type == tileRow(Scalar::BF16);
  }

  static bool namesTiles(const Inst& inst, size_t count) {
    return inst.ints.size() == count &&
           std::ranges::all_of(inst.ints, [](int64_t tile) { return tile >= 0 && tile < kTiles; });
  }

  /// Only indices known exactly, where control is known to come, can be checked: others may be
  /// guarded by conditions.
  void bounds(const Inst& inst, const BufferInfo& buffer) {
    if (emptyLoops_ > 0) return;
    Range base = kernel_.values[inst.operands[0]].range;
    if (base.lo != base.hi || inst.op == Op::Prefetch) return;
    int64_t first = base.lo + inst.imm, last = first;
    if (inst.op == Op::Load || inst.op == Op::Store || inst.op == Op::StoreStream)
      last += inst.type.lanes - 1;
    if (inst.op == Op::TileLoad || inst.op == Op::TileStore)
      last += inst.stride * (kTileRows - 1) + inst.type.lanes - 1;
    if (inst.op == Op::BroadcastWord) last += inst.stride - 1;
    if (inst.op == Op::LoadStrided)
      (inst.stride > 0 ? last : first) += inst.stride * (inst.type.lanes - 1);
    if (inst.op == Op::LoadPartial || inst.op == Op::StorePartial || inst.op == Op::Gather ||
        inst.op == Op::Scatter)
      return;
    if (first < 0 || last >= buffer.size)
      report(fmt::format("elements {}..{} are outside buffer {} of {}", first, last, buffer.name,
                         buffer.size));
  }

  void variable(const Inst& inst) {
    if (!require(inst.var < kernel_.vars.size(), "unknown variable")) return;
    require(kernel_.vars[inst.var].type == inst.type, "another type than the variable's");
    if (inst.op != Op::VarGet)
      require(typeOf(inst, 0) == inst.type, "another type than the variable's");
    if (inst.op != Op::VarDecl) {
      require(varOpen_[inst.var], "uses a variable that is not declared here");
    } else if (require(!varOpen_[inst.var], "declares a variable twice")) {
      varOpen_[inst.var] = true;
      openVars_.push_back(inst.var);
    }
  }

  void control(const Inst& inst) {
    size_t blocks = inst.op == Op::If ? 2 : 1;
    if (!require(inst.blocks.size() == blocks, "wrong number of blocks")) return;
    if (inst.op == Op::Parallel) require(depth_ == 1, "a parallel loop inside another block");
    if (inst.op == Op::If) require(typeOf(inst, 0) == boolean(), "needs one bool");
    if (inst.op == Op::For) loop(inst);
    const bool empty = inst.op == Op::For && neverRuns(inst);
    emptyLoops_ += empty;
    size_t before = openValues_.size();
    define(inst);
    for (const Block& inner : inst.blocks) block(inner);
    emptyLoops_ -= empty;
    for (; openValues_.size() > before; openValues_.pop_back())
      valueOpen_[openValues_.back()] = false;
  }

  void loop(const Inst& inst) {
    require(inst.imm > 0, "needs a positive step");
    require(typeOf(inst, 0) == index() && typeOf(inst, 1) == index(), "needs index bounds");
    if (inst.unroll == Unroll::None) return;
    Range lo = kernel_.values[inst.operands[0]].range, hi = kernel_.values[inst.operands[1]].range;
    require(lo.lo == lo.hi && hi.lo == hi.hi, "an unrolled loop needs constant bounds");
  }

  bool neverRuns(const Inst& loop) const {
    return kernel_.values[loop.operands[1]].range.hi <= kernel_.values[loop.operands[0]].range.lo;
  }

  const Kernel& kernel_;
  std::vector<bool> valueOpen_, varOpen_;
  std::vector<ValueId> openValues_;
  std::vector<VarId> openVars_;
  const Inst* current_ = nullptr;
  int depth_ = 0;
  int emptyLoops_ = 0; ///< loops around the present place whose bodies are never run
  std::vector<Diag> diags_;
};

} // namespace

Result<> verify(const Kernel& kernel) { return Verifier(kernel).run(); }

} // namespace enfold::kir
