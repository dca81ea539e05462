import { openingOption } from './node-options.js';

it.each([
  '--inspect',
  '--max-old-space-size=512 --inspect-brk=0.0.0.0:9229',
  '"--inspect"',
  '--inspect_port=1',
  '--heapsnapshot-signal=SIGUSR2',
  '--heap-prof',
  '--cpu-prof',
  '--report-on-signal',
  '--report-uncaught-exception',
  '--abort-on-uncaught-exception',
])('%s opens a process', (options) => {
  expect(openingOption(options, [])).toBeDefined();
});

it('what node is given on its command line counts too', () => {
  expect(openingOption('', ['--inspect=1'])).toBe('--inspect=1');
});

it.each(['', '--max-old-space-size=512', '--no-warnings --import ./inspect.mjs'])('%j opens none', (options) => {
  expect(openingOption(options, [])).toBeUndefined();
});
