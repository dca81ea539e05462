import { setTimeout as after } from 'node:timers/promises';
import { until } from '../../test/until.js';
import { SilenceWatch } from './silence-watch.js';

const SOON_MS = 5_000;
/** Several times what an agent that is as quick as ever gets. */
const LONG_MS = 150;

function watchOf() {
  const seen = { awaited: true, told: 0 };
  const watch = new SilenceWatch(
    () => seen.awaited,
    () => {
      seen.awaited = false; // who was told goes elsewhere
      seen.told += 1;
    },
  );
  return { seen, watch };
}

it('silence is told once, and lasts until something is heard', async () => {
  const { seen, watch } = watchOf();
  watch.begin();
  await until(async () => seen.told === 1, SOON_MS);
  await after(LONG_MS);
  expect({ told: seen.told, silent: watch.silent }).toEqual({ told: 1, silent: true });
  watch.heard();
  expect(watch.silent).toBe(false);
});

it('an agent that says something now and then is not silent', async () => {
  const { seen, watch } = watchOf();
  const talking = setInterval(() => watch.heard(), 1);
  watch.begin();
  await after(LONG_MS);
  clearInterval(talking);
  watch.end();
  expect(seen.told).toBe(0);
});

it('nobody waits: nothing is told', async () => {
  const { seen, watch } = watchOf();
  seen.awaited = false;
  watch.begin();
  await after(LONG_MS);
  expect({ told: seen.told, silent: watch.silent }).toEqual({ told: 0, silent: false });
});

it('an agent that takes longer as a rule is given longer', async () => {
  const { seen, watch } = watchOf();
  watch.took(LONG_MS);
  watch.begin();
  await after(LONG_MS);
  expect(seen.told).toBe(0);
  watch.end();
});

it('a process that was held up itself has missed no word', async () => {
  const { seen, watch } = watchOf();
  watch.begin();
  const held = performance.now() + LONG_MS;
  while (performance.now() < held);
  await after(0);
  expect(seen.told).toBe(0);
  watch.end();
});
