/**
 * Writes the pages of docs/ that are printed from tables of the code, the OpenAPI document, and README.md's picture of a demo run from
 * docs/demo.txt. `--check` writes nothing and fails when a page differs from what it would write.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { needBuild, ROOT } from './setup.mjs';
import { runScript, SetupError } from './terminal.mjs';

const PAGES = {
  'docs/states.md': states,
  'docs/errors.md': errors,
  'docs/permissions.md': permissions,
  'docs/configuration.md': configuration,
  'docs/metrics.md': metrics,
  'docs/openapi.json': openapi,
  'README.md': readme,
};

await runScript(async () => {
  needBuild();
  const check = process.argv.includes('--check');
  const stale = [];
  for (const [page, render] of Object.entries(PAGES)) {
    const path = join(ROOT, page);
    const text = await render();
    if (existsSync(path) && readFileSync(path, 'utf8') === text) continue;
    if (!check) writeFileSync(path, text);
    stale.push(page);
  }
  if (check && stale.length > 0) {
    throw new SetupError(`${stale.join(', ')} no longer say what the code says; run: npm run docs`);
  }
  if (!check) for (const page of stale) process.stdout.write(`${page} written\n`);
});

async function states() {
  const { ALLOWED, SIGNED_OPS, stateOf, UNIT_STATES } = await table('shared/unit-state.js');
  const { HEALTH_STATES, NEXT_STEP, VERDICT } = await table('health/readiness.js');
  const facts = ['claimed', 'masterKey', 'kmsUser'];
  const units = [[], ['claimed'], ['claimed', 'masterKey'], ['claimed', 'kmsUser'], facts];
  const mark = (value) => (value ? 'yes' : 'no');
  return page(
    'States of a crypto unit',
    'src/shared/unit-state.ts',
    `A state is a name for facts. It is computed each time it is shown and never stored, so it cannot disagree with the
facts: the unit record on the token says whether the unit is claimed, has a master key and has an enrolled KMS user;
the database says whether an operator put it into maintenance. A master key may be loaded before or after the
kmsCryptoUser is added.`,
    markdownTable(
      ['claimed', 'master key', 'KMS user', 'maintenance', 'state'],
      [
        ...units.map((holds) => [
          ...facts.map((fact) => mark(holds.includes(fact))),
          mark(false),
          `\`${stateOf(Object.fromEntries(holds.map((fact) => [fact, true])))}\``,
        ]),
        ['any', 'any', 'any', mark(true), `\`${stateOf({ maintenance: true })}\``],
      ],
    ),
    '## What is allowed when',
    `Acts marked * are signed by administrators. An act in a state without a mark is refused with \`UNIT_STATE\`
(\`UNIT_IN_MAINTENANCE\` in maintenance) and the message names the command that leads on.`,
    markdownTable(
      ['act', ...UNIT_STATES],
      Object.entries(ALLOWED).map(([act, allowed]) => [
        `\`${act}\`${SIGNED_OPS.includes(act) ? ' *' : ''}`,
        ...UNIT_STATES.map((state) => (allowed.includes(state) ? 'yes' : '')),
      ]),
    ),
    '## Health of the server',
    `What \`/readyz\` and \`/health\` call it (\`src/health/readiness.ts\`); the first that is true counts. \`/readyz\` answers 200
for pass and warn, 503 for fail.`,
    markdownTable(
      ['state', 'verdict', 'next'],
      HEALTH_STATES.map((state) => [`\`${state}\``, VERDICT[state], NEXT_STEP[state]]),
    ),
  );
}

async function errors() {
  const { EXIT_CODE, HTTP_STATUS } = await table('shared/errors.js');
  return page(
    'Errors',
    'src/shared/errors.ts',
    `Every refusal has one of these codes and one sentence that says what was refused and what to do. Over HTTP the code
and the sentence are in the error envelope; \`kp\` prints the sentence and ends with the exit code.`,
    markdownTable(
      ['exit code of `kp`', 'meaning'],
      [
        ['0', 'done'],
        ['1', 'failed'],
        ['2', 'the command line was wrong'],
        ['3', 'done on some crypto units and not on others; the retry command is printed'],
        ['4', 'authentication or a signature was refused'],
        ['5', 'something that must match does not: a unit key, a receipt, a share, a master key'],
      ],
    ),
    markdownTable(
      ['code', 'HTTP', '`kp` exit'],
      Object.keys(HTTP_STATUS).map((code) => [`\`${code}\``, HTTP_STATUS[code], EXIT_CODE[code]]),
    ),
  );
}

async function permissions() {
  const { isAdministrative, PERMISSIONS, ROLES } = await table('shared/permissions.js');
  return page(
    'Permissions',
    'src/shared/permissions.ts',
    `An API key has roles, and every request names one permission. What changes a claimed crypto unit needs an
administrator's signature as well, which the unit's own agent verifies: no role replaces it. Where
KEYSTEAD_ADMIN_CLIENT_CA_FILE is set, what the last column marks needs a client certificate of that CA too.`,
    markdownTable(
      ['permission', ...ROLES, 'certificate'],
      Object.entries(PERMISSIONS).map(([permission, roles]) => [
        `\`${permission}\``,
        ...ROLES.map((role) => (roles.includes(role) ? 'yes' : '')),
        isAdministrative(permission) ? 'yes' : '',
      ]),
    ),
  );
}

async function configuration() {
  const { CONFIG_VARIABLES } = await table('config/config.js');
  return page(
    'Configuration of the server',
    'src/config/config.ts',
    'The server reads these environment variables once, at start, and refuses to start when one is wrong. An empty value counts as unset.',
    markdownTable(
      ['variable', 'default', 'meaning'],
      CONFIG_VARIABLES.map(({ name, description, default: value }) => [
        `\`${name}\``,
        value === undefined ? '' : `\`${value}\``,
        description,
      ]),
    ),
  );
}

async function metrics() {
  const { METRICS } = await table('health/metrics.js');
  const alerts = readFileSync(join(ROOT, 'deploy', 'prometheus-alerts.yml'), 'utf8');
  const rules = [
    ...alerts.matchAll(/- alert: (\w+)\n +expr: (.+)\n(?: +for: \S+\n)? +annotations:\n +summary: '(.+)'/g),
  ];
  return page(
    'Metrics',
    'src/health/metrics.ts` and `deploy/prometheus-alerts.yml',
    `\`GET /metrics\` answers in the text format of Prometheus to any API key with a role: a \`Reader\` will do. Each server
counts what it did itself since it started, so scrape every server and not the load balancer in front of them;
\`deploy/prometheus.yml\` shows how. \`instance\` is the id of an instance of Keystead: Prometheus keeps it as \`exported_instance\`
beside its own \`instance\`, the server it scraped. No label names a key, a caller or a path.`,
    markdownTable(
      ['metric', 'type', 'labels', 'meaning'],
      METRICS.map(({ name, type, help, labels }) => [
        `\`${name}\``,
        type,
        labels.map((one) => `\`${one}\``).join(', '),
        help,
      ]),
    ),
    `Besides these, the process's own: \`keystead_process_*\` (processor, memory, file descriptors, start time) and
\`keystead_nodejs_*\`, of which \`keystead_nodejs_eventloop_lag_p99_seconds\` says how long the event loop kept requests waiting
since the scrape before. A \`histogram\` has the series \`_bucket\`, \`_sum\` and \`_count\`.`,
    '## Alerts',
    'Examples, to begin with: `deploy/prometheus-alerts.yml`.',
    markdownTable(
      ['alert', 'when', 'what to do'],
      rules.map(([, name, expression, summary]) => [name, `\`${expression}\``, summary]),
    ),
  );
}

/** The document that the server gives at /docs/openapi.json. */
async function openapi() {
  await import('reflect-metadata');
  const { openApiDocument } = await table('dialects/key-protect/openapi.js');
  return `${JSON.stringify(openApiDocument(), null, 2)}\n`;
}

/** README.md with the text of docs/demo.txt between its two markers. */
function readme() {
  const text = readFileSync(join(ROOT, 'README.md'), 'utf8');
  const [begin, end] = ['<!-- demo:begin -->', '<!-- demo:end -->'].map((marker) => {
    const at = text.indexOf(marker);
    if (at === -1)
      throw new SetupError(`README.md has lost its line ${marker}; put it back where the demo run belongs.`);
    return at + (marker.includes('begin') ? marker.length : 0);
  });
  const recorded = join(ROOT, 'docs', 'demo.txt');
  if (!existsSync(recorded))
    throw new SetupError('docs/demo.txt is missing; record a run: npm run demo -- --record docs/demo.txt');
  const run = readFileSync(recorded, 'utf8').trimEnd();
  return `${text.slice(0, begin)}\n\`\`\`text\n${run}\n\`\`\`\n${text.slice(end)}`;
}

function table(module) {
  return import(pathToFileURL(join(ROOT, 'dist', module)).href);
}

function page(title, source, ...parts) {
  return `${[`# ${title}`, `Printed from \`${source}\` by \`npm run docs\`; change it there.`, ...parts].join('\n\n')}\n`;
}

function markdownTable(head, rows) {
  const cells = [head, head.map(() => '---'), ...rows];
  return cells
    .map((row) => `| ${row.map((cell) => String(cell ?? '').replaceAll('|', '\\|')).join(' | ')} |`)
    .join('\n');
}
