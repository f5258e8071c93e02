// The verifier.
#include "ir/Verifier.h"

#include "ir/Infer.h"
#include "ir/Products.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <string_view>
#include <unordered_set>

namespace enfold {
namespace {

class Verifier {
public:
  Verifier(const Graph& graph, GraphStage stage) : graph_(graph), stage_(stage) {}

  Result<> run();

private:
  void complain(const Op& op, std::string message) {
    diags_.push_back({std::move(message), op.describe()});
  }
  void complain(const Value& value, std::string_view message) {
    diags_.push_back({fmt::format("%{}: {} {}", value.name(), value.type().str(), message), ""});
  }
  void define(const Value* value);
  void checkOp(const Op& op);
  /// Of the op, or of a step of its epilogue.
  void checkAttrs(const Op& op, const OpInfo& info, const AttrMap& attrs);
  void checkTypes(const Op& op);
  void checkEpilogue(const Op& op);
  void checkLayouts(const Op& op);
  void checkUses();

  const Graph& graph_;
  GraphStage stage_;
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
  if (value->type().layout.isPlain()) return;
  if (value->type().rank() < 2) complain(*value, "has no channels to block");
  if (stage_ == GraphStage::Imported)
    complain(*value, "is blocked, but no model holds such tensors");
  if (!value->producer()) complain(*value, "is blocked, but inputs are plain");
  if (value->outputUses() > 0) complain(*value, "is blocked, but outputs are plain");
}

void Verifier::checkAttrs(const Op& op, const OpInfo& info, const AttrMap& attrs) {
  for (const auto& [name, value] : attrs) {
    if (auto valid = info.checkAttr(name, value); !valid)
      complain(op, valid.error().str());
    else if (info.attr(name)->defaultValue == value)
      complain(op, fmt::format("attribute '{}' states its default", name));
    else if (info.attr(name)->own && stage_ == GraphStage::Imported)
      complain(op, fmt::format("attribute '{}' is none of a model", name));
  }
  for (const AttrInfo& attr : info.attrs)
    if (attr.required && !attrs.contains(attr.name))
      complain(op, fmt::format("attribute '{}' is missing", attr.name));
}

void Verifier::checkTypes(const Op& op) {
  auto types = inferTypes(op.kind(), op.ownOperands(), op.attrs(), op.numResults());
  if (!types && types.error().kind == ErrorKind::DataDependent) {
    std::vector<Type> stated;
    for (size_t i = 0; i < op.numResults(); ++i) stated.push_back(op.result(i)->type());
    // Ops whose shape depends on data keep the element type of their first operand.
    if (!op.epilogue().empty()) stated[0].elem = op.own(0)->elem();
    if (auto possible = checkStatedTypes(op.kind(), op.ownOperands(), op.attrs(), stated);
        !possible)
      return complain(op, possible.error().str());
    types = std::move(stated);
  }
  if (!types) return complain(op, types.error().str());
  if (!op.epilogue().empty()) {
    std::vector<EpilogueStep> steps(op.epilogue().begin(), op.epilogue().end());
    const auto last = inferEpilogue(steps, types->front(), op.operands(), op.numOwnOperands());
    if (!last) return complain(op, last.error().str());
    if (!std::ranges::equal(steps, op.epilogue()))
      complain(op, "the element types of its epilogue are out of step");
    types->front() = *last;
  }
  for (size_t i = 0; i < op.numResults(); ++i) {
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
  if (stage_ == GraphStage::Imported) complain(op, "has an epilogue, but no model holds one");
  if (!op.info().supportsEpilogue() || op.numResults() != 1)
    return complain(op, "this op takes no epilogue");
  for (const EpilogueStep& step : op.epilogue()) checkAttrs(op, info(step.kind), step.attrs);
}

/// The layout of a reorder's result is its block; other ops do not change the block, save those
/// that sum over channels and give others.
void Verifier::checkLayouts(const Op& op) {
  if (op.kind() == OpKind::Reorder) {
    if (op.result()->type().layout.block != op.integer("block"))
      complain(op, fmt::format("gives blocks of {}, not {}", op.integer("block"),
                               op.result()->type().str()));
    if (stage_ == GraphStage::Imported) complain(op, "is an op that no model holds");
    return;
  }
  int block = 0;
  const auto check = [&](const Value* value) {
    const int own = value ? value->type().layout.block : 0;
    if (own != 0 && block != 0 && own != block)
      complain(op, fmt::format("has tensors in blocks of {} and of {}", block, own));
    if (own != 0) block = own;
  };
  const bool sumsChannels = op.kind() == OpKind::Conv || op.kind() == OpKind::ConvInteger ||
                            op.kind() == OpKind::ConvTranspose;
  std::ranges::for_each(op.operands().subspan(sumsChannels ? 1 : 0), check);
  for (size_t i = 0; i < op.numResults(); ++i) check(op.result(i));
  if (op.kind() == OpKind::Constant && block != 0)
    complain(op, "is blocked, but constants are plain");
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
  const auto& named = op.info().operands;
  for (size_t i = 0; i < std::max(named.size(), op.numOwnOperands()); ++i)
    if (!op.own(i) && (i >= named.size() || !named[i].optional))
      complain(op, fmt::format("its operand '{}' is missing",
                               named.empty() ? "" : named[std::min(i, named.size() - 1)].name));
  checkAttrs(op, op.info(), op.attrs());
  checkEpilogue(op);
  if (diags_.empty()) checkTypes(op);
  checkLayouts(op);
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

Result<> verify(const Graph& graph, GraphStage stage) { return Verifier(graph, stage).run(); }

bool dependsOnData(const Op& op) {
  // The types of these follow from those of their operands.
  if (op.info().is(traits::Elementwise) || sumsProducts(op.kind())) return false;
  const auto types = inferTypes(op.kind(), op.ownOperands(), op.attrs(), op.numResults());
  return !types && types.error().kind == ErrorKind::DataDependent;
}

bool verifiesAlways() {
#ifdef NDEBUG
  static const bool wanted = [] {
    const char* setting = std::getenv("ENFOLD_VERIFY");
    return setting && std::string_view(setting) == "1";
  }();
  return wanted;
#else
  return true;
#endif
}

} // namespace enfold
