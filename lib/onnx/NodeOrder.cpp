// Depth-first topological sort without recursion, so that long chains cannot exhaust the stack.
#include "onnx/NodeOrder.h"

#include "support/ErrorCodes.h"

#include <fmt/format.h>

#include <algorithm>

namespace enfold::onnx {
namespace {

/// Calls f with every name the node reads, those its subgraphs capture included. Names that a
/// subgraph defines for itself are passed too, which does no harm: nobody outside produces them.
template <typename F> void forEachRead(const pb::NodeProto& node, const F& f) {
  for (const std::string& name : node.input())
    if (!name.empty()) f(name);
  for (const auto& attr : node.attribute()) {
    if (!attr.has_g()) continue;
    for (const auto& inner : attr.g().node()) forEachRead(inner, f);
    for (const auto& output : attr.g().output()) f(output.name());
  }
}

class Sorter {
public:
  explicit Sorter(const NodeList& nodes) : nodes_(nodes), states_(nodes.size(), State::New) {
    for (int i = 0; i < nodes.size(); ++i)
      for (const std::string& name : nodes[i].output()) addProducer(name, i);
  }

  NodeOrder run() && {
    for (int i = 0; i < nodes_.size(); ++i)
      if (states_[i] == State::New) visit(i);
    return std::move(order_);
  }

private:
  enum class State : uint8_t { New, Open, Done };
  struct Frame {
    int node;
    std::vector<int> pending; ///< producers of what it reads, last first
  };

  void addProducer(const std::string& name, int node) {
    if (name.empty()) return;
    const auto [it, added] = order_.producers.emplace(name, node);
    if (!added)
      order_.problems.push_back({fmt::format("it computes '{}', as {} does", name,
                                             describe(nodes_[it->second], it->second)),
                                 describe(nodes_[node], node), ErrorCode::UndefinedName});
  }

  Frame open(int node) {
    states_[node] = State::Open;
    Frame frame{node, {}};
    forEachRead(nodes_[node], [&](const std::string& name) {
      const auto it = order_.producers.find(name);
      if (it != order_.producers.end()) frame.pending.push_back(it->second);
    });
    std::reverse(frame.pending.begin(), frame.pending.end());
    return frame;
  }

  void visit(int root) {
    stack_.push_back(open(root));
    while (!stack_.empty()) {
      Frame& top = stack_.back();
      if (top.pending.empty()) {
        states_[top.node] = State::Done;
        order_.indices.push_back(top.node);
        stack_.pop_back();
        continue;
      }
      const int next = top.pending.back();
      top.pending.pop_back();
      if (states_[next] == State::Open) reportCycle(next);
      if (states_[next] == State::New) stack_.push_back(open(next));
    }
  }

  void reportCycle(int from) {
    constexpr size_t kMostNamed = 8;
    std::string path;
    size_t named = 0;
    for (auto it = stack_.rbegin(); it != stack_.rend(); ++it) {
      if (++named <= kMostNamed)
        path += fmt::format("{}{}", path.empty() ? "" : ", ", describe(nodes_[it->node], it->node));
      if (it->node == from) break;
    }
    if (named > kMostNamed) path += fmt::format(" and {} more", named - kMostNamed);
    order_.problems.push_back({fmt::format("it depends on itself through {}", path),
                               describe(nodes_[from], from), ErrorCode::UndefinedName});
  }

  const NodeList& nodes_;
  std::vector<State> states_;
  std::vector<Frame> stack_;
  NodeOrder order_;
};

} // namespace

std::string describe(const pb::NodeProto& node, int index) {
  if (!node.name().empty()) return fmt::format("{} '{}'", node.op_type(), node.name());
  return fmt::format("{} '{}_{}'", node.op_type(), node.op_type(), index);
}

std::unordered_set<std::string> namesRead(const NodeList& nodes) {
  std::unordered_set<std::string> names;
  for (const auto& node : nodes)
    forEachRead(node, [&](const std::string& name) { names.insert(name); });
  return names;
}

std::set<std::string> namesRead(const pb::NodeProto& node) {
  std::set<std::string> names;
  forEachRead(node, [&](const std::string& name) { names.insert(name); });
  return names;
}

NodeOrder orderNodes(const NodeList& nodes) { return Sorter(nodes).run(); }

std::unordered_set<std::string> namesNeeded(const pb::GraphProto& graph) {
  std::unordered_map<std::string_view, const pb::NodeProto*> producers;
  for (const auto& node : graph.node())
    for (const std::string& name : node.output()) producers.emplace(name, &node);
  std::unordered_set<std::string> needed;
  std::unordered_set<const pb::NodeProto*> visited;
  std::vector<const pb::NodeProto*> open;
  const auto need = [&](const std::string& name) {
    if (name.empty() || !needed.insert(name).second) return;
    const auto producer = producers.find(name);
    if (producer != producers.end() && visited.insert(producer->second).second)
      open.push_back(producer->second);
  };
  for (const auto& output : graph.output()) need(output.name());
  while (!open.empty()) {
    const pb::NodeProto* node = open.back();
    open.pop_back();
    for (const std::string& name : node->output()) needed.insert(name);
    forEachRead(*node, need);
  }
  return needed;
}

bool isNeeded(const pb::NodeProto& node, const std::unordered_set<std::string>& needed) {
  const auto isAmong = [&](const std::string& name) { return needed.contains(name); };
  return std::ranges::any_of(node.output(), isAmong) ||
         std::ranges::all_of(node.output(), &std::string::empty);
}

std::unordered_set<std::string> namesReadBy(const pb::GraphProto& graph) {
  std::unordered_set<std::string> names = namesRead(graph.node());
  for (const auto& output : graph.output()) names.insert(output.name());
  return names;
}

std::unordered_set<std::string> namesReadBy(const pb::FunctionProto& function) {
  std::unordered_set<std::string> names = namesRead(function.node());
  names.insert(function.output().begin(), function.output().end());
  return names;
}

} // namespace enfold::onnx
