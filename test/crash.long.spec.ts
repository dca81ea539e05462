import { killsAt } from './crash.js';

const TWENTIETHS = Array.from({ length: 20 }, (_, step) => (step + 0.5) / 20);

killsAt(TWENTIETHS, ['server', 0, 1, 2]);
