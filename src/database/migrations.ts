import type { MigrationInterface } from 'typeorm';
import { AuditLines1764000000000 } from './migrations/1764000000000-audit-lines.js';
import { ApiKeys1764000000100 } from './migrations/1764000000100-api-keys.js';
import { Instances1764000001000 } from './migrations/1764000001000-instances.js';
import { Keys1764000002000 } from './migrations/1764000002000-keys.js';
import { Byok1764000003000 } from './migrations/1764000003000-byok.js';
import { AuditCheckpoints1764000005000 } from './migrations/1764000005000-audit-checkpoints.js';
import { AuditRequests1764000006000 } from './migrations/1764000006000-audit-requests.js';
import { ToldRows1764000007000 } from './migrations/1764000007000-told-rows.js';
import { Edge1764000008000 } from './migrations/1764000008000-edge.js';

/** Every migration, oldest first. One that was released is never edited. */
export const MIGRATIONS: (new () => MigrationInterface)[] = [
  AuditLines1764000000000,
  ApiKeys1764000000100,
  Instances1764000001000,
  Keys1764000002000,
  Byok1764000003000,
  AuditCheckpoints1764000005000,
  AuditRequests1764000006000,
  ToldRows1764000007000,
  Edge1764000008000,
];
