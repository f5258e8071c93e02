// Sessions of one program, lent to the threads that run it: a call takes an idle one or makes one.
#pragma once

#include "driver/Executable.h"

#include <mutex>
#include <vector>

namespace enfold {

class SessionPool {
public:
  /// One session has `options.threads` threads. Those that calls at the same time need have one
  /// each, the caller's own: then the callers are what keeps the processor busy.
  static Result<std::unique_ptr<SessionPool>> create(std::shared_ptr<const Executable> executable,
                                                     const Session::Options& options);

  const std::shared_ptr<const Executable>& executable() const { return executable_; }

  /// Session::runRaw() on a session nobody else uses meanwhile.
  Result<> run(std::span<const void* const> inputs, std::span<void* const> outputs,
               const enfold_run_limits* limits = nullptr);
  /// Session::run().
  Result<std::vector<Tensor>> run(std::span<const Tensor> inputs,
                                  const enfold_run_limits* limits = nullptr);

  /// A session for the one who holds the lease.
  class Lease {
  public:
    Lease(SessionPool& pool, std::unique_ptr<Session> session)
        : pool_(&pool), session_(std::move(session)) {}
    Lease(Lease&&) = default;
    Lease& operator=(Lease&&) = delete;
    ~Lease();
    Session& operator*() const { return *session_; }
    Session* operator->() const { return session_.get(); }

  private:
    SessionPool* pool_;
    std::unique_ptr<Session> session_;
  };
  Result<Lease> lend();
  /// Lets go of the memory of sessions that nobody uses; later calls make them anew.
  void dropIdle();

private:
  SessionPool(std::shared_ptr<const Executable> executable, Session::Options options)
      : executable_(std::move(executable)), options_(options) {}

  std::shared_ptr<const Executable> executable_;
  const Session::Options options_;
  std::mutex mutex_;
  std::vector<std::unique_ptr<Session>> idle_; ///< the one with most threads is lent first
  const Session* main_ = nullptr;              ///< that has all threads, if there is one
};

} // namespace enfold
