import { killsAt } from './crash.js';

/** A short form of crash.long.spec.ts. */
killsAt([0.4, 0.8], ['server', 1]);
