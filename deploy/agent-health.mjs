// agent-health.mjs SOCKET: exit 0 when an agent answers there within two seconds. It asks for what no agent does, so the
// answer, a refusal, says that its one thread is free and nothing of the unit.
import { connect } from 'node:net';

const PATIENCE_MS = 2_000;
const frame = Buffer.from([0, 0, 0, 5, 0, 0, 0, 1, 0]); // length, request id, opcode 0 (src/unit-agent/protocol.ts)
const end = (code) => process.exit(code);

connect(process.argv[2] ?? '')
  .on('connect', function ask() {
    this.write(frame);
  })
  .on('data', () => end(0))
  .on('error', () => end(1));
setTimeout(() => end(1), PATIENCE_MS);
