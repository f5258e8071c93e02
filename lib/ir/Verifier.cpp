// The verifier.
#include "ir/Verifier.h"

#include "ir/Infer.h"

#include <fmt/format.h>

#include <algorithm>
#include <unordered_set>

namespace enfold {
namespace {

class Verifier {
public:
  explicit Verifier(const Graph& graph) : graph_(graph) {}

  Result<> run();

private:
  void complain(const Op& op, std::string message) {
    diags_.push_back({std::move(message), op.describe()});
  }
  void define(const Value* value);
  void checkOp(const Op& op);
  /// Of the op, or of a step of its epilogue.
  void checkAttrs(const Op& op, const OpInfo& info, const AttrMap& attrs);
  void checkTypes(const Op& op);
  void checkEpilogue(const Op& op);
  void checkUses();

  const Graph& graph_;
  std::vector<Diag> diags_;
  std::unordered_map<const Value*, size_t> uses_; ///< of every value defined so far
  std::unordered_set<std::string> names_;
};

void Verifier::define(const Value* value) {
  uses_[value] = 0;
  if (!names_.insert(value->name()).second)
    diags_.push_back({fmt::format("two values are named %{}", value->name()), ""});
  if (graph_.find(value->name()) != value)
    diags_.push_back({fmt::format("%{} is not in the graph's table of names", value->name()), ""});
  if (!value->type().layout.isPlain() && value->type().rank() < 2)
    diags_.push_back(
        {fmt::format("%{} of {} has no channels to block", value->name(), value->type().str()),
         ""});
}

void Verifier::checkAttrs(const Op& op, const OpInfo& info, const AttrMap& attrs) {
  for (const auto& [name, value] : attrs) {
    if (auto valid = info.checkAttr(name, value); !valid)
      complain(op, valid.error().str());
    else if (info.attr(name)->defaultValue == value)
      complain(op, fmt::format("attribute '{}' states its default", name));
  }
  for (const AttrInfo& attr : info.attrs)
    if (attr.required && !attrs.contains(attr.name))
      complain(op, fmt::format("attribute '{}' is missing", attr.name));
}

void Verifier::checkTypes(const Op& op) {
  const auto types = inferTypes(op.kind(), op.ownOperands(), op.attrs(), op.numResults());
  if (!types) {
    if (types.error().kind != ErrorKind::DataDependent) complain(op, types.error().str());
    return;
  }
  for (size_t i = 0; op.epilogue().empty() && i < op.numResults(); ++i) {
    const Type &stated = op.result(i)->type(), &inferred = (*types)[i];
    if (stated.elem != inferred.elem || stated.shape != inferred.shape)
      complain(op, fmt::format("%{} is {} but the op gives {}", op.result(i)->name(), stated.str(),
                               inferred.str()));
  }
}

void Verifier::checkEpilogue(const Op& op) {
  if (op.epilogue().empty()) {
    if (op.operands().size() != op.numOwnOperands()) complain(op, "operands of no epilogue");
    return;
  }
  if (!op.info().supportsEpilogue() || op.numResults() != 1)
    return complain(op, "this op takes no epilogue");
  const auto count = static_cast<int>(op.operands().size());
  for (const EpilogueStep& step : op.epilogue()) {
    checkAttrs(op, info(step.kind), step.attrs);
    if (!info(step.kind).is(traits::Elementwise))
      complain(op, fmt::format("epilogue step {} is not elementwise", name(step.kind)));
    if (std::ranges::find(step.args, EpilogueStep::kAccumulator) == step.args.end())
      complain(op, fmt::format("epilogue step {} ignores the accumulator", name(step.kind)));
    for (int arg : step.args) {
      if (arg == EpilogueStep::kAccumulator || arg == EpilogueStep::kAbsent) continue;
      if (arg < static_cast<int>(op.numOwnOperands()) || arg >= count) {
        complain(op, "epilogue operand out of range");
        continue;
      }
      const Shape& shape = op.operand(static_cast<size_t>(arg))->shape();
      const auto joint = broadcastShapes(shape, op.result()->shape());
      if (!joint || *joint != op.result()->shape())
        complain(op, fmt::format("epilogue operand {} does not broadcast to {}", str(shape),
                                 str(op.result()->shape())));
    }
  }
}

void Verifier::checkOp(const Op& op) {
  for (const Value* operand : op.operands()) {
    if (!operand) continue;
    auto it = uses_.find(operand);
    if (it == uses_.end())
      complain(op, fmt::format("%{} is used before it is defined", operand->name()));
    else
      ++it->second;
  }
  if (op.numOwnOperands() < op.info().minOperands()) complain(op, "an operand is missing");
  checkAttrs(op, op.info(), op.attrs());
  if (diags_.empty()) checkTypes(op);
  checkEpilogue(op);
  for (size_t i = 0; i < op.numResults(); ++i) {
    if (op.result(i)->producer() != &op) complain(op, "a result with another producer");
    define(op.result(i));
  }
}

void Verifier::checkUses() {
  std::unordered_map<const Value*, int> outputs;
  for (const Value* output : graph_.outputs()) {
    ++outputs[output];
    if (!uses_.contains(output))
      diags_.push_back({"an output that the graph does not compute", ""});
  }
  for (const auto& [value, count] : uses_)
    if (value->users().size() != count || value->outputUses() != outputs[value])
      diags_.push_back({fmt::format("the use list of %{} is out of step", value->name()), ""});
}

Result<> Verifier::run() {
  for (const auto& input : graph_.inputs()) define(input.get());
  for (const auto& op : graph_.ops()) checkOp(*op);
  checkUses();
  if (diags_.empty()) return {};
  return std::unexpected(Error(ErrorKind::Invalid, std::move(diags_)));
}

} // namespace

Result<> verify(const Graph& graph) { return Verifier(graph).run(); }

} // namespace enfold
