// From the graph's shape alone, without numbers.
#include "quantize/Plan.h"

#include "passes/Match.h"
#include "passes/Weights.h"

#include <algorithm>
#include <numeric>

namespace enfold::quantize {
namespace {

/// How an op treats 8-bit codes.
enum class Role : uint8_t {
  Float, ///< not at all
  Layer, ///< multiplies them by weights
  Mover, ///< its results are some of them
  Concat,
  Arithmetic, ///< computes a tensor of its own scale
};

bool isMover(const Op& op) {
  switch (op.kind()) {
  case OpKind::DepthToSpace:
  case OpKind::Expand:
  case OpKind::Flatten:
  case OpKind::Gather:
  case OpKind::Identity:
  case OpKind::MaxPool:
  case OpKind::Reshape:
  case OpKind::Slice:
  case OpKind::SpaceToDepth:
  case OpKind::Split:
  case OpKind::Squeeze:
  case OpKind::Tile:
  case OpKind::Transpose:
  case OpKind::Unsqueeze:
    return op.kind() != OpKind::MaxPool || op.numResults() == 1;
  case OpKind::Resize:
    return op.string("mode") == "nearest" &&
           op.string("coordinate_transformation_mode") != "tf_crop_and_resize";
  case OpKind::Pad:
    return op.string("mode") != "constant" || !op.own(2) || scalarValue(op.own(2)) == 0.0;
  default:
    return false;
  }
}

bool isArithmetic(OpKind kind) {
  switch (kind) {
  case OpKind::Add:
  case OpKind::AveragePool:
  case OpKind::BatchNormalization:
  case OpKind::GlobalAveragePool:
  case OpKind::GlobalMaxPool:
  case OpKind::Max:
  case OpKind::Mean:
  case OpKind::Min:
  case OpKind::Mul:
  case OpKind::PRelu:
  case OpKind::ReduceMax:
  case OpKind::ReduceMean:
  case OpKind::Resize:
  case OpKind::Sub:
  case OpKind::Sum:
    return true;
  default:
    return false;
  }
}

bool isBound(OpKind kind) { return kind == OpKind::Relu || kind == OpKind::Clip; }

/// Operands that hold data, not shapes, parameters and the like.
std::vector<const Value*> dataOf(const Op& op) {
  std::vector<const Value*> data;
  const auto add = [&](const Value* value) {
    if (value && !value->constant() && value->elem() == ElemType::F32) data.push_back(value);
  };
  if (op.info().is(traits::Elementwise) || op.kind() == OpKind::Concat)
    for (const Value* operand : op.ownOperands()) add(operand);
  else if (op.numOwnOperands() > 0)
    add(op.own(0));
  return data;
}

class Planner {
public:
  Planner(const Graph& graph, const PlanOptions& options) : graph_(graph), options_(options) {}

  Plan run() {
    for (const auto& op : graph_.ops()) classify(*op);
    findActive();
    findRoots();
    findCodes();
    findLayers();
    makeGroups();
    return std::move(plan_);
  }

private:
  void classify(const Op& op);
  /// The one tensor that the result of the elementwise op depends on, through others of that kind;
  /// null if there are several.
  const Value* subjectOf(const Op& op) const;
  std::string floatBecause(const Op& op) const;
  Role roleOf(const Op& op) const;
  void findActive();
  void findRoots();
  bool isBoundedSum(const Value* value) const;
  bool isInside(const Value* value) const;
  bool isBounded(const Value* value) const;
  void findCodes();
  void findLayers();
  void makeGroups();
  bool sharesWithConcat(const Value* part, const Op& concat) const;

  bool isActive(const Op* op) const { return active_.contains(op); }
  Role role(const Op* op) const { return roles_.at(op); }
  bool isActive(const Op* op, Role wanted) const { return isActive(op) && role(op) == wanted; }

  const Graph& graph_;
  const PlanOptions& options_;
  std::unordered_map<const Op*, Role> roles_;
  std::unordered_set<const Op*> active_; ///< ops that compute on codes
  std::unordered_map<const Op*, const Value*> subjects_;
  /// The one tensor with codes that an elementwise op's result is a function of.
  std::unordered_map<const Op*, const Value*> roots_;
  std::vector<const Value*> coded_;
  std::unordered_set<const Value*> hasCodes_;
  Plan plan_;
};

std::string Planner::floatBecause(const Op& op) const {
  for (const std::string& origin : op.origins())
    if (const auto it = options_.inFloat.find(origin); it != options_.inFloat.end())
      return it->second;
  if (const auto it = options_.inFloat.find(op.result()->name()); it != options_.inFloat.end())
    return it->second;
  return isLinear(op.kind()) ? obstacleOf(op).value_or("") : "";
}

Role Planner::roleOf(const Op& op) const {
  if (op.kind() == OpKind::Constant || !op.epilogue().empty()) return Role::Float;
  if (op.result()->elem() != ElemType::F32 || !floatBecause(op).empty()) return Role::Float;
  if (isLinear(op.kind())) return Role::Layer;
  if (dataOf(op).empty()) return Role::Float;
  if (op.kind() == OpKind::Concat)
    return dataOf(op).size() == op.numOwnOperands() ? Role::Concat : Role::Float;
  if (isMover(op)) return Role::Mover;
  if (isArithmetic(op.kind())) return op.numResults() == 1 ? Role::Arithmetic : Role::Float;
  // Others may lie close to a pole: they are safe as functions of one tensor, since the table of
  // such a function is exact for each code.
  const bool isFunction = op.info().is(traits::Elementwise) && subjectOf(op) &&
                          std::ranges::all_of(op.ownOperands(), [](const Value* operand) {
                            return !operand || operand->elem() == ElemType::F32;
                          });
  return isFunction ? Role::Arithmetic : Role::Float;
}

const Value* Planner::subjectOf(const Op& op) const {
  const Value* subject = nullptr;
  for (const Value* operand : dataOf(op)) {
    const auto known = operand->producer() ? subjects_.find(operand->producer()) : subjects_.end();
    const Value* own = known == subjects_.end() ? operand : known->second;
    if (subject && subject != own) return nullptr;
    subject = own;
  }
  return subject;
}

void Planner::classify(const Op& op) {
  roles_[&op] = roleOf(op);
  if (role(&op) == Role::Arithmetic && op.info().is(traits::Elementwise))
    if (const Value* subject = subjectOf(op)) subjects_[&op] = subject;
}

/// Layers, and whatever lies behind one and in front of another.
void Planner::findActive() {
  std::unordered_set<const Op*> behind;
  for (const auto& op : graph_.ops()) {
    const bool follows = std::ranges::any_of(dataOf(*op), [&](const Value* operand) {
      return operand->producer() && behind.contains(operand->producer());
    });
    if (role(op.get()) == Role::Layer || (follows && role(op.get()) != Role::Float))
      behind.insert(op.get());
  }
  for (auto it = graph_.ops().rbegin(); it != graph_.ops().rend(); ++it) {
    const Op* op = it->get();
    bool reaches = role(op) == Role::Layer;
    for (size_t i = 0; i < op->numResults(); ++i)
      reaches |= std::ranges::any_of(op->result(i)->users(), [&](const Op* user) {
        return isActive(user) && std::ranges::count(dataOf(*user), op->result(i)) > 0;
      });
    if (reaches && behind.contains(op)) active_.insert(op);
  }
}

/// Whether it only passes between a sum and the bounds of that sum.
bool Planner::isBounded(const Value* value) const {
  const Op* user = onlyUser(value);
  const Op* producer = value->producer();
  if (!user || !producer || !isBound(user->kind()) || !isActive(user) || !isActive(producer) ||
      user->own(0) != value)
    return false;
  return role(producer) == Role::Layer || role(producer) == Role::Arithmetic;
}

void Planner::findRoots() {
  for (const auto& op : graph_.ops()) {
    if (!isActive(op.get(), Role::Arithmetic) || !op->info().is(traits::Elementwise)) continue;
    const Value* root = nullptr;
    bool one = true;
    for (const Value* operand : dataOf(*op)) {
      const auto known = operand->producer() ? roots_.find(operand->producer()) : roots_.end();
      const Value* own = known == roots_.end() || isBoundedSum(operand) ? operand : known->second;
      one &= !root || root == own;
      root = own;
    }
    if (one && root) roots_[op.get()] = root;
  }
}

/// Whether it is a sum with its bounds: functions start there.
bool Planner::isBoundedSum(const Value* value) const {
  const Op* bound = value->producer();
  return bound && isBound(bound->kind()) && isBounded(bound->own(0)) &&
         !roots_.contains(bound->own(0)->producer());
}

/// Whether it lies inside a function of one tensor.
bool Planner::isInside(const Value* value) const {
  if (!value->producer() || value->outputUses() > 0) return false;
  const auto own = roots_.find(value->producer());
  if (own == roots_.end() || isBoundedSum(value)) return false;
  return std::ranges::all_of(value->users(), [&](const Op* user) {
    const auto other = roots_.find(user);
    return other != roots_.end() && other->second == own->second;
  });
}

void Planner::findCodes() {
  const auto add = [&](const Value* value) {
    if (hasCodes_.insert(value).second) coded_.push_back(value);
  };
  for (const auto& op : graph_.ops()) {
    if (!isActive(op.get())) continue;
    for (const Value* operand : dataOf(*op))
      if (!isBounded(operand) && !isInside(operand)) add(operand);
    if (options_.quantizeOutputs && role(op.get()) == Role::Layer && !isBounded(op->result()))
      add(op->result());
  }
}

void Planner::findLayers() {
  for (const auto& op : graph_.ops()) {
    if (!isLinear(op->kind())) continue;
    Layer layer{op.get(), op->result(), floatBecause(*op)};
    while (isBounded(layer.output)) layer.output = onlyUser(layer.output)->result();
    plan_.layers.push_back(std::move(layer));
  }
}

/// Whether the part is made for the concatenation alone.
bool Planner::sharesWithConcat(const Value* part, const Op& concat) const {
  return onlyUser(part) == &concat && part->producer() && isActive(part->producer()) &&
         role(part->producer()) != Role::Mover &&
         std::ranges::count(concat.ownOperands(), part) == 1;
}

void Planner::makeGroups() {
  std::unordered_map<const Value*, size_t> number;
  for (size_t i = 0; i < coded_.size(); ++i) number[coded_[i]] = i;
  std::vector<size_t> parent(coded_.size());
  std::iota(parent.begin(), parent.end(), size_t{0});
  const auto find = [&](size_t i) {
    while (parent[i] != i) i = parent[i] = parent[parent[i]];
    return i;
  };
  std::unordered_set<const Value*> derived; ///< whose numbers are others' of the group
  const auto join = [&](const Value* a, const Value* b, const Value* derivedOne) {
    if (!number.contains(a) || !number.contains(b)) return;
    parent[find(number.at(a))] = find(number.at(b));
    derived.insert(derivedOne);
  };
  for (const auto& op : graph_.ops()) {
    if (isActive(op.get(), Role::Mover))
      for (size_t i = 0; i < op->numResults(); ++i) join(op->own(0), op->result(i), op->result(i));
    if (isActive(op.get(), Role::Concat))
      for (const Value* part : op->ownOperands())
        if (sharesWithConcat(part, *op)) join(part, op->result(), part);
  }
  std::unordered_map<size_t, size_t> groups;
  for (size_t i = 0; i < coded_.size(); ++i) {
    const auto [it, isNew] = groups.emplace(find(i), plan_.groups.size());
    if (isNew) plan_.groups.emplace_back();
    ScaleGroup& group = plan_.groups[it->second];
    const Value* value = coded_[i];
    group.members.push_back(value);
    if (!derived.contains(value)) group.sources.push_back(value);
    plan_.groupOf[value] = it->second;
  }
  for (ScaleGroup& group : plan_.groups) {
    const auto isFromBytes = [](const Value* value) {
      const Op* cast = producedBy(value, OpKind::Cast);
      return cast && cast->own(0)->elem() == ElemType::U8;
    };
    if (std::ranges::all_of(group.sources, isFromBytes)) group.known = Scale{1, 0};
  }
}

} // namespace

size_t Plan::numQuantized() const {
  return static_cast<size_t>(std::ranges::count_if(layers, &Layer::isQuantized));
}

Plan planOf(const Graph& graph, const PlanOptions& options) {
  return Planner(graph, options).run();
}

} // namespace enfold::quantize
