// Lending sessions and taking them back.
#include "driver/SessionPool.h"

#include <algorithm>

namespace enfold {

Result<std::unique_ptr<SessionPool>>
SessionPool::create(std::shared_ptr<const Executable> executable, Session::Options options,
                    int streams, SessionPool* other) {
  if (options.threads == 0) options.threads = std::max(enfold_default_threads() / streams, 1);
  std::unique_ptr<SessionPool> pool(
      new SessionPool(std::move(executable), options, static_cast<size_t>(streams)));
  if (other) pool->takeOver(*other);
  // The first session is made at once, so that what there is no memory for is known.
  ENFOLD_RETURN_IF_ERROR(pool->lend());
  return pool;
}

Result<SessionPool::Lease> SessionPool::lend() {
  {
    const std::lock_guard lock(mutex_);
    if (!idle_.empty()) {
      Lease lease(*this, std::move(idle_.back()));
      idle_.pop_back();
      return lease;
    }
    if (streams_.size() < numStreams_) {
      ENFOLD_TRY(auto session, Session::create(executable_, options_));
      streams_.push_back(session.get());
      return Lease(*this, std::move(session));
    }
  }
  Session::Options alone = options_;
  alone.threads = 1;
  ENFOLD_TRY(auto session, Session::create(executable_, alone));
  return Lease(*this, std::move(session));
}

Result<> SessionPool::reserve(size_t count) {
  std::vector<Lease> leases;
  for (size_t i = 0; i < count; ++i) {
    ENFOLD_TRY(Lease lease, lend());
    leases.push_back(std::move(lease));
  }
  const std::lock_guard lock(mutex_);
  reserved_ = std::max(reserved_, count);
  idle_.reserve(idle_.size() + count);
  return {};
}

/// Those that are not reserved.
std::vector<std::unique_ptr<Session>> SessionPool::takeIdle() {
  const std::lock_guard lock(mutex_);
  const auto kept = idle_.end() - static_cast<ptrdiff_t>(std::min(reserved_, idle_.size()));
  std::vector<std::unique_ptr<Session>> taken(std::move_iterator(idle_.begin()),
                                              std::move_iterator(kept));
  idle_.erase(idle_.begin(), kept);
  std::erase_if(streams_, [&](const Session* stream) {
    return std::ranges::find(taken, stream, &std::unique_ptr<Session>::get) != taken.end();
  });
  return taken;
}

void SessionPool::dropIdle() { takeIdle(); }

void SessionPool::takeOver(SessionPool& other) {
  std::vector<std::unique_ptr<Session>> taken = other.takeIdle();
  const std::lock_guard lock(mutex_);
  // Those with most threads are the last.
  for (; !taken.empty() && streams_.size() < numStreams_; taken.pop_back()) {
    std::unique_ptr<Session> session = std::move(taken.back());
    if (enfold_get_threads(session->context()) != options_.threads) continue;
    if (!session->setExecutable(executable_)) continue;
    streams_.push_back(session.get());
    idle_.push_back(std::move(session));
  }
}

SessionPool::Lease::~Lease() {
  if (!session_) return;
  const auto threads = [](const std::unique_ptr<Session>& session) {
    return enfold_get_threads(session->context());
  };
  const std::lock_guard lock(pool_->mutex_);
  auto& idle = pool_->idle_;
  idle.insert(std::ranges::upper_bound(idle, threads(session_), {}, threads), std::move(session_));
}

Result<> SessionPool::run(std::span<const void* const> inputs, std::span<void* const> outputs,
                          const enfold_run_limits* limits) {
  ENFOLD_TRY(const Lease session, lend());
  return session->runRaw(inputs, outputs, limits);
}

Result<std::vector<Tensor>> SessionPool::run(std::span<const Tensor> inputs,
                                             const enfold_run_limits* limits) {
  ENFOLD_TRY(const Lease session, lend());
  return session->run(inputs, limits);
}

} // namespace enfold
