// Appending calls: constants and kernels are shared.
#include "lower/Lowering.h"

#include "ir/Verifier.h"
#include "kernel/Builder.h"
#include "kernel/ByteWriter.h"
#include "kernel/Skeleton.h"
#include "kernel/Structure.h"
#include "lower/Copy.h"
#include "lower/Families.h"
#include "lower/Reorder.h"
#include "support/ErrorCodes.h"
#include "support/Hash.h"

#include <enfold/program.h>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstring>

namespace enfold::lower {
namespace {

/// Cycles of so much work on one core, in vectors of f32 and out of the last cache. Kernels reach
/// about half of what the machine can multiply.
double cyclesOf(double flops, double bytes, const kir::Machine& machine) {
  constexpr double kReached = 0.5;
  const int width = machine.vectorBytes;
  const double flopsPerCycle = 2.0 * machine.lanes(kir::Scalar::F32) * machine.fma.of(width);
  return std::max(flops / (kReached * flopsPerCycle),
                  bytes / machine.bytesPerCycle(machine.l2.bytes));
}

} // namespace

Lowering::Lowering(Plan& plan, const Graph& graph, const kir::Target& target)
    : plan_(plan), target_(target), storage_(plan, graph) {}
Lowering::~Lowering() = default;

BufferRef Lowering::storage(const Value* value) {
  if (auto place = storage_.find(value)) return *place;
  if (auto it = constantValues_.find(value); it != constantValues_.end()) return it->second;
  const BufferRef place = constantStorage(value);
  constantValues_.emplace(value, place);
  return place;
}

BufferRef Lowering::constantStorage(const Value* value) {
  if (const Tensor* tensor = value->constant())
    return constant(tensor->share(), static_cast<int64_t>(tensor->numBytes()));
  const Op* op = value->producer();
  ENFOLD_CHECK(op && isReorderedConstant(*op), "a value without storage");
  if (value->type().layout.isPlain()) return storage(op->own(0));
  return constant(blockedBytes(*op->own(0)->constant(), value->type().layout.block));
}

BufferRef Lowering::constant(std::shared_ptr<const std::byte> data, int64_t bytes) {
  const uint64_t hash = hashBytes(data.get(), static_cast<size_t>(bytes));
  std::vector<BufferId>& same = constants_[hash];
  for (BufferId id : same) {
    const PlanBuffer& other = plan_.buffers[id];
    if (other.bytes == bytes &&
        std::memcmp(other.data.get(), data.get(), static_cast<size_t>(bytes)) == 0)
      return {id};
  }
  same.push_back(static_cast<BufferId>(plan_.buffers.size()));
  plan_.buffers.push_back({.space = Space::Constant, .bytes = bytes, .data = std::move(data)});
  return {same.back()};
}

/// The same for no two tensors that are there at a time, unless they share their numbers.
std::string Lowering::keyOf(const Tensor& tensor) {
  return fmt::format("{} {} ", fmt::ptr(tensor.bytes()), tensor.type().str());
}

BufferRef Lowering::packedBytes(std::string key, int64_t bytes, Packing pack) {
  const auto [place, isNew] = packed_.try_emplace(std::move(key));
  if (isNew) {
    place->second = {static_cast<BufferId>(plan_.buffers.size())};
    plan_.buffers.push_back({.space = Space::Constant, .bytes = bytes, .pack = std::move(pack)});
  }
  return place->second;
}

BufferRef Lowering::temporary(int64_t bytes) {
  plan_.buffers.push_back({.space = Space::Arena, .bytes = bytes});
  return {static_cast<BufferId>(plan_.buffers.size() - 1)};
}

/// The same for kernels that do the same; of skeletons only if their shapes and numbers are the
/// same as well, of which there are but hashes.
static std::string structureOf(const kir::Kernel& kernel) {
  if (!kernel.skeleton) return kir::structure(kernel);
  const std::vector<int64_t>& numbers = kernel.skeleton->numbers;
  kir::ByteWriter text;
  text.number(static_cast<int64_t>(kernel.skeleton->hash));
  text.number(static_cast<int64_t>(hashLarge(numbers.data(), numbers.size() * sizeof numbers[0])));
  for (const kir::BufferInfo& buffer : kernel.buffers) text.number(buffer.size);
  text.number(kernel.iterations);
  text.number(kernel.scratchBytes);
  return std::move(text).take();
}

size_t Lowering::addKernel(kir::Kernel kernel) {
  std::string structure = structureOf(kernel);
  const auto isOther = [&](size_t number) {
    const std::shared_ptr<const kir::Skeleton>& known = plan_.kernels[number].skeleton;
    if (!kernel.skeleton || !known) return kernel.skeleton != known;
    return kernel.skeleton->shape != known->shape || kernel.skeleton->numbers != known->numbers;
  };
  auto known = kernels_.find(structure);
  while (known != kernels_.end() && isOther(known->second)) {
    structure += ' ';
    known = kernels_.find(structure);
  }
  if (known != kernels_.end()) return known->second;
  const size_t number = plan_.kernels.size();
  kernels_.emplace(std::move(structure), number);
  plan_.scratchBytes = std::max(plan_.scratchBytes, kernel.scratchBytes);
  plan_.kernels.push_back(std::move(kernel));
  return number;
}

void Lowering::append(Call call) {
  call.op = op_;
  call.origin = origin_;
  plan_.calls.push_back(std::move(call));
}

void Lowering::call(size_t number, std::vector<BufferRef> buffers, CallFacts facts) {
  const kir::Kernel& kernel = plan_.kernels[number];
  ENFOLD_CHECK(static_cast<int64_t>(buffers.size()) == kernel.numParams(),
               "a kernel called with a wrong number of buffers");
  if (facts.bytes == 0)
    for (int64_t i = 0; i < kernel.numParams(); ++i)
      facts.bytes += static_cast<double>(kernel.buffers[static_cast<size_t>(i)].bytes());
  const kir::Machine& machine = target_.machine;
  const double work =
      cyclesOf(facts.flops, facts.bytes, machine) / static_cast<double>(kernel.iterations);
  Call call{.kernel = number,
            .buffers = std::move(buffers),
            .algorithm = std::move(facts.algorithm),
            .secondChoice = std::move(facts.secondChoice),
            .origin = {},
            .flops = facts.flops,
            .bytes = facts.bytes,
            .multiplies = facts.multiplies,
            .grain = std::max<int64_t>(1, static_cast<int64_t>(machine.barrierCycles / work)),
            .check = std::move(facts.check)};
  const std::string origin = origin_;
  if (facts.within)
    origin_ = fmt::format("{} + {}", fmt::join(facts.within->origins(), " + "), origin);
  append(std::move(call));
  origin_ = origin;
}

/// Of an op that only its reference function computes, which knows no blocks.
static Result<> checkPlain(const Op& op, const kir::Target& target) {
  const auto isBlocked = [](const Value* v) { return v && !v->type().layout.isPlain(); };
  bool blocked = std::ranges::any_of(op.operands(), isBlocked);
  for (size_t i = 0; i < op.numResults(); ++i) blocked |= isBlocked(op.result(i));
  if (!blocked) return {};
  std::string reasons;
  for (const auto& [family, reason] : explainChoice(op, target).refused)
    reasons += fmt::format("{}{}: {}", reasons.empty() ? " (" : "; ", family, reason);
  return failure(ErrorCode::UnsupportedTarget,
                 fmt::format("no kernel for {} with vectors of {} bytes takes its layouts{}",
                             target.cpu, target.machine.vectorBytes,
                             reasons.empty() ? "" : reasons + ")"),
                 op.describe());
}

Result<> Lowering::callReference(const Op& op) {
  ENFOLD_RETURN_IF_ERROR(checkPlain(op, target_));
  Call call{.reference = ReferenceCall{&op},
            .buffers = {},
            .algorithm = "reference",
            .secondChoice = {},
            .origin = {}};
  for (const Value* operand : op.operands())
    if (operand) call.buffers.push_back(storage(operand));
  for (size_t i = 0; i < op.numResults(); ++i) call.buffers.push_back(storage(op.result(i)));
  call.buffers.push_back(temporary(sizeof(enfold_check)));
  append(std::move(call));
  return {};
}

/// All its results are without elements, whatever the data is: kernels may count on there being
/// some.
static bool hasNothingToCompute(const Op& op) {
  for (size_t i = 0; i < op.numResults(); ++i)
    if (op.result(i)->type().numElements() > 0) return false;
  return !dependsOnData(op);
}

Result<> Lowering::lower(const Op& op) {
  if (op.kind() == OpKind::Constant || isReorderedConstant(op)) return {};
  if (storage_.isView(op) || hasNothingToCompute(op)) return {};
  op_ = &op;
  origin_ = fmt::format("{}", fmt::join(op.origins(), " + "));
  const Family* family = familyFor(op, target_);
  if (!family) return callReference(op);
  family->lower(op, *this);
  return {};
}

size_t Lowering::beginSkip(const Value* condition, bool wanted) {
  op_ = nullptr;
  origin_ = fmt::format("{} {}", wanted ? "if" : "unless", condition->name());
  kir::Builder b("skip");
  const kir::Buffer src = b.input("condition", kir::Scalar::Bool, 1);
  const kir::Buffer status = b.output("status", kir::Scalar::I32, 1);
  b.parallelFor("once", 1, [&](const kir::Index&) {
    const kir::Value isWanted = b.cast(b.load(src[0]), kir::Scalar::I32);
    b.store(status[0], wanted ? 1 - isWanted : isWanted);
  });
  call(b.finish(), {storage(condition), temporary(sizeof(int32_t))}, {.algorithm = "skip"});
  return plan_.calls.size() - 1;
}

void Lowering::endSkip(size_t call) {
  plan_.calls[call].skip = static_cast<int64_t>(plan_.calls.size() - call - 1);
}

void Lowering::copyOutput(const Value* value, size_t index) {
  const BufferRef from = storage(value);
  if (const PlanBuffer& buffer = plan_.buffers[from.buffer];
      buffer.space == Space::Output && buffer.index == static_cast<int64_t>(index))
    return;
  op_ = nullptr;
  origin_ = "output " + value->name();
  plan_.buffers.push_back({.space = Space::Output,
                           .bytes = value->type().numBytes(),
                           .index = static_cast<int64_t>(index)});
  const BufferRef to{static_cast<BufferId>(plan_.buffers.size() - 1)};
  call(copyKernel(value->type().numBytes()), {from, to}, {.algorithm = "copy"});
}

} // namespace enfold::lower
