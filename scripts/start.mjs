/** `npm start`: sets up what is missing and serves in the foreground. Arguments go to `keystead serve`. */
import { join } from 'node:path';
import { ROOT, setUp } from './setup.mjs';
import { foreground, runScript } from './terminal.mjs';

await runScript(() => {
  setUp();
  return foreground(process.execPath, [join(ROOT, 'bin', 'keystead'), 'serve', ...process.argv.slice(2)]);
});
