// A procedure as ONNX nodes.
#pragma once

#include "onnx/GraphImporter.h"

#include <mutex>

namespace enfold::onnx {

/// What the procedures of a model share.
struct ModelContext {
  pb::ModelProto functionProtos; ///< nothing but functions
  Functions functions;
  ImportLimits limits;
  std::filesystem::path folder;
  int64_t irVersion;

  ModelContext(const pb::ModelProto& model, const ImportLimits& limits,
               std::filesystem::path folder);
};

class NodeProcedure final : public Procedure {
public:
  struct Content {
    std::shared_ptr<const ModelContext> model;
    NodeList nodes;           ///< producers first
    std::vector<int> numbers; ///< of the nodes, in the list that they come from
    std::set<int> decided;    ///< places of nodes that evaluate() must not leave
    std::vector<std::string> inputs, outputs;
    Data constants;
    std::unordered_map<std::string, DeclaredType> valueInfos;
    GraphImporter::Opsets opsets;
    std::optional<GraphImporter::Attributes> attributes; ///< of the function that it is part of
    std::string prefix;
    int depth = 0;
  };

  explicit NodeProcedure(Content content)
      : content_(std::move(content)), order_(orderNodes(content_.nodes)) {}

  const std::vector<std::string>& inputs() const override { return content_.inputs; }
  const std::vector<std::string>& outputs() const override { return content_.outputs; }
  const Datum* constant(const std::string& name) const override;
  Result<Part> cut(const Data& data, bool mayBind) const override;
  Result<ProcedurePtr> evaluate(Data& data, Caller& caller) const override;

  const Content& content() const { return content_; }
  const NodeOrder& order() const { return order_; }

  /// The procedure of these nodes of this one; constants are among `known`.
  std::shared_ptr<const NodeProcedure> rest(std::span<const int> places, std::set<int> decided,
                                            const Data& known) const;
  /// The procedure of a body named `key`; made by `make` at the first time.
  std::shared_ptr<const NodeProcedure>
  body(const std::string& key, const std::function<Result<Content>()>& make, Result<>& made) const;

private:
  const Content content_;
  const NodeOrder order_;
  mutable std::mutex mutex_;
  mutable std::map<std::vector<int>, std::shared_ptr<const NodeProcedure>> rests_;
  mutable std::map<std::string, std::shared_ptr<const NodeProcedure>> bodies_;
};

/// The nodes at `places`, in that order, as content: its inputs are what they read beside `known`,
/// which become constants, and each other.
NodeProcedure::Content contentOf(const NodeList& nodes, std::span<const int> places,
                                 std::span<const std::string> outputs, const Data& known);

} // namespace enfold::onnx
