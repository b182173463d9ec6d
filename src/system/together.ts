type Work<T> = (signal: AbortSignal) => Promise<T>;

/**
 * Does both beside each other. When one fails the other is ended, and only when nothing of either runs any more
 * the failure is told: whoever clears up after them is alone.
 */
export async function together<A, B>(
  one: Work<A>,
  other: Work<B>,
  signal = new AbortController().signal,
): Promise<[A, B]> {
  const failed = new AbortController();
  const either = AbortSignal.any([signal, failed.signal]);
  const ended = <T>(work: Work<T>): Promise<T> =>
    work(either).catch((error: unknown) => {
      failed.abort(error);
      throw error;
    });
  const works = [ended(one), ended(other)] as const;
  await Promise.allSettled(works);
  // Both tell of the first failure: it is the reason for which the other one was ended.
  return Promise.all(works);
}
