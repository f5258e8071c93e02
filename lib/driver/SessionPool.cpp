// Lending sessions and taking them back.
#include "driver/SessionPool.h"

#include <algorithm>

namespace enfold {

Result<std::unique_ptr<SessionPool>>
SessionPool::create(std::shared_ptr<const Executable> executable, const Session::Options& options) {
  std::unique_ptr<SessionPool> pool(new SessionPool(std::move(executable), options));
  // The first session is made at once, so that what there is no memory for is known.
  ENFOLD_RETURN_IF_ERROR(pool->lend());
  return pool;
}

Result<SessionPool::Lease> SessionPool::lend() {
  Session::Options how = options_;
  {
    const std::lock_guard lock(mutex_);
    if (!idle_.empty()) {
      Lease lease(*this, std::move(idle_.back()));
      idle_.pop_back();
      return lease;
    }
    if (main_) {
      how.threads = 1;
    } else {
      ENFOLD_TRY(auto session, Session::create(executable_, how));
      main_ = session.get();
      return Lease(*this, std::move(session));
    }
  }
  ENFOLD_TRY(auto session, Session::create(executable_, how));
  return Lease(*this, std::move(session));
}

void SessionPool::dropIdle() {
  const std::lock_guard lock(mutex_);
  if (std::ranges::find(idle_, main_, &std::unique_ptr<Session>::get) != idle_.end())
    main_ = nullptr;
  idle_.clear();
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
