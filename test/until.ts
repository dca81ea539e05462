import { setTimeout as after } from 'node:timers/promises';

/** Polls until the question is answered with true; throws at the deadline. */
export async function until(
  ask: () => Promise<boolean>,
  deadlineMs: number,
  why: () => string = () => 'it did not become true in time',
): Promise<void> {
  const deadline = Date.now() + deadlineMs;
  while (!(await ask())) {
    if (Date.now() > deadline) throw new Error(why());
    await after(25);
  }
}
