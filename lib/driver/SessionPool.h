// Sessions of one program, lent to the threads that run it: a call takes an idle one or makes one.
#pragma once

#include "driver/Executable.h"

#include <mutex>
#include <vector>

namespace enfold {

class SessionPool {
public:
  /// So many calls at the same time as there are streams have `options.threads` threads each; where
  /// that is 0, the threads that the process may use are divided among them. Further calls have one
  /// each, the caller's own: then the callers are what keeps the processor busy.
  /// Sessions are taken over from `other`, if there is one, which has the same options.
  static Result<std::unique_ptr<SessionPool>> create(std::shared_ptr<const Executable> executable,
                                                     Session::Options options, int streams = 1,
                                                     SessionPool* other = nullptr);

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
  /// Makes so many sessions, unless they are there, and keeps them: so many runs at the same time
  /// allocate nothing from then on.
  Result<> reserve(size_t count);
  /// Lets go of the memory of sessions that nobody uses, but for those that are reserved; later
  /// calls make them anew.
  void dropIdle();
  /// Takes over what another pool's dropIdle() would let go of, as far as there are streams for it.
  void takeOver(SessionPool& other);

private:
  SessionPool(std::shared_ptr<const Executable> executable, Session::Options options,
              size_t numStreams)
      : executable_(std::move(executable)), options_(options), numStreams_(numStreams) {}

  std::vector<std::unique_ptr<Session>> takeIdle();

  std::shared_ptr<const Executable> executable_;
  const Session::Options options_;             ///< of streams
  const size_t numStreams_;                    ///< how many may have all threads
  std::mutex mutex_;                           ///< guards what follows
  std::vector<std::unique_ptr<Session>> idle_; ///< the one with most threads is lent first
  std::vector<const Session*> streams_;        ///< that are there, lent or idle
  size_t reserved_ = 0;                        ///< idle ones that stay
};

} // namespace enfold
