// The order in which the nodes of a graph can be imported. ONNX demands topological order, but not
// every writer keeps to it.
#pragma once

#include "onnx/Proto.h"
#include "support/Result.h"

#include <set>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

namespace enfold::onnx {

using NodeList = google::protobuf::RepeatedPtrField<pb::NodeProto>;

/// "Conv 'conv1'" for messages.
std::string describe(const pb::NodeProto& node, int index);

struct NodeOrder {
  std::vector<int> indices;                       ///< nodes, producers first
  std::unordered_map<std::string, int> producers; ///< of each value, the node that computes it
  std::vector<Diag> problems;                     ///< cycles and values computed twice
};

/// The names that nodes read, those their subgraphs capture included.
std::unordered_set<std::string> namesRead(const NodeList& nodes);
std::set<std::string> namesRead(const pb::NodeProto& node);
/// The names that the outputs of a graph depend on, and these.
std::unordered_set<std::string> namesNeeded(const pb::GraphProto& graph);
/// Whether one of the names that the node computes is among those. One that computes nothing is
/// taken as needed.
bool isNeeded(const pb::NodeProto& node, const std::unordered_set<std::string>& needed);
/// The names that a graph or a function reads or gives.
std::unordered_set<std::string> namesReadBy(const pb::GraphProto& graph);
std::unordered_set<std::string> namesReadBy(const pb::FunctionProto& function);

/// Nodes that are already in order stay in it. In the presence of cycles every node is still
/// listed, though some come before what they read.
NodeOrder orderNodes(const NodeList& nodes);

} // namespace enfold::onnx
