// Merging groups.
#include "lower/conv/Groups.h"

#include <algorithm>

namespace enfold::lower {

int64_t storedChannels(const Type& type) {
  const int64_t block = std::max(1, type.layout.block);
  return (type.shape[1] + block - 1) / block * block;
}

bool staysWithinBlocks(const WindowProblem& p, int block) {
  return p.cin == p.cout && block % p.cinPerGroup() == 0;
}

std::vector<GroupRun> mergedGroups(const WindowProblem& p, const Op& op) {
  const Layout &x = op.own(0)->type().layout, &y = op.result()->type().layout;
  return mergedGroups(p, x.isPlain() ? y.block : x.block, y.block);
}

std::vector<GroupRun> mergedGroups(const WindowProblem& p, int64_t inputBlock,
                                   int64_t resultBlock) {
  const auto fills = [&](int64_t groups) {
    return groups * p.cinPerGroup() % inputBlock == 0 &&
           groups * p.coutPerGroup() % resultBlock == 0;
  };
  int64_t merge = 1;
  while (merge < p.groups && !fills(merge)) ++merge;
  std::vector<GroupRun> runs;
  const auto add = [&](int64_t groups, int64_t merged) {
    WindowProblem part = p;
    part.groups = groups / merged;
    part.cin = groups * p.cinPerGroup();
    part.cout = groups * p.coutPerGroup();
    const int64_t first = runs.empty() ? 0 : p.groups - groups;
    runs.push_back({first, merged, part});
  };
  const int64_t rest = p.groups % merge;
  add(p.groups - rest, merge);
  if (rest) add(rest, rest);
  return runs;
}

} // namespace enfold::lower
