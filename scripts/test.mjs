/**
 * `npm test`: sets up what is missing, builds, and runs every test but the long ones (*.long.spec.ts; --long runs those too).
 * Other arguments go to Jest: `npm test -- src/pkcs11 -t 'wrong PIN'`. The last line counts, as CI reads it.
 */
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ROOT, setUp } from './setup.mjs';
import { needTestPrograms } from './system.mjs';
import { foreground, runScript } from './terminal.mjs';

await runScript(async () => {
  const asked = process.argv.slice(2);
  const long = asked.some((argument) => argument === '--long' || argument.includes('.long.spec'));
  setUp();
  needTestPrograms();

  const place = mkdtempSync(join(tmpdir(), 'keystead-test-'));
  const results = join(place, 'results.json');
  try {
    const code = await foreground(
      process.execPath,
      [
        '--experimental-vm-modules', // Jest loads our ES modules through node:vm
        '--disable-warning=ExperimentalWarning',
        join(ROOT, 'node_modules', 'jest', 'bin', 'jest.js'),
        ...asked.filter((argument) => argument !== '--long'),
        ...(long ? [] : ['--testPathIgnorePatterns=\\.long\\.spec\\.ts$']),
        '--json',
        `--outputFile=${results}`,
      ],
      { cwd: ROOT },
    );
    if (existsSync(results)) process.stdout.write(summary(results)); // not there for --listTests and the like
    return code;
  } finally {
    rmSync(place, { recursive: true, force: true });
  }
});

function summary(results) {
  const report = JSON.parse(readFileSync(results, 'utf8'));
  const brokenFiles = report.testResults.filter(
    (file) => file.status === 'failed' && file.assertionResults.length === 0,
  );
  const failed = report.numFailedTests + brokenFiles.length;
  const skipped = report.numPendingTests + report.numTodoTests;
  const seconds = Math.round((Date.now() - report.startTime) / 1000);
  return `\nin ${seconds} s:\n${report.numPassedTests} passed, ${failed} failed, ${skipped} skipped\n`;
}
