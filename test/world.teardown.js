// Tells the undertaker of world.global.js that the run is over, and waits until it is done.
import { once } from 'node:events';

export default async function teardown() {
  const undertaker = globalThis.__undertaker;
  if (!undertaker) return;
  const gone = once(undertaker, 'exit');
  undertaker.stdin.end();
  await gone;
}
