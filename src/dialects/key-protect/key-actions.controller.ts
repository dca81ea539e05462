import { Controller, UseGuards } from '@nestjs/common';
import type { Caller } from '../../access/caller.js';
import { Gate } from '../../access/gate.js';
import { AskedBy } from '../../http/asked-by.js';
import { RewrapKey } from '../../keys/rewrap-key.command.js';
import { RotateKey } from '../../keys/rotate-key.command.js';
import { SetForDeletion, UnsetForDeletion } from '../../keys/set-for-deletion.command.js';
import { DisableKey, EnableKey } from '../../keys/switch-key.command.js';
import { SyncKey } from '../../keys/sync-key.command.js';
import { UnwrapKey } from '../../keys/unwrap-key.command.js';
import { WrapKey } from '../../keys/wrap-key.command.js';
import * as op from './action-operations.js';
import { Admission } from './admission.guard.js';
import { materialOf } from './key.schemas.js';
import { type Asked, AskedFor, Serve } from './operation.js';

/** What is done with a key. */
@Controller()
@UseGuards(Admission)
export class KeyActionsController {
  constructor(private readonly gate: Gate) {}

  @Serve(op.WRAP)
  async wrap(@AskedBy() caller: Caller, @AskedFor() { target, body }: Asked<typeof op.WRAP>) {
    const wrapped = await this.gate.ask(caller, new WrapKey(caller, target, body ?? {}));
    return {
      ...(wrapped.plaintext !== null && { plaintext: wrapped.plaintext.toString('base64') }),
      ciphertext: wrapped.ciphertext,
      keyVersion: { id: wrapped.versionId },
    };
  }

  @Serve(op.UNWRAP)
  async unwrap(@AskedBy() caller: Caller, @AskedFor() { target, body }: Asked<typeof op.UNWRAP>) {
    const { plaintext, versionId, rewrapped } = await this.gate.ask(caller, new UnwrapKey(caller, target, body));
    return {
      plaintext: plaintext.toString('base64'),
      keyVersion: { id: versionId },
      ...(rewrapped !== null && {
        ciphertext: rewrapped.ciphertext,
        rewrappedKeyVersion: { id: rewrapped.versionId },
      }),
    };
  }

  @Serve(op.REWRAP)
  async rewrap(@AskedBy() caller: Caller, @AskedFor() { target, body }: Asked<typeof op.REWRAP>) {
    const rewrapped = await this.gate.ask(caller, new RewrapKey(caller, target, body));
    return {
      ciphertext: rewrapped.ciphertext,
      keyVersion: { id: rewrapped.versionId },
      rewrappedKeyVersion: { id: rewrapped.rewrappedVersionId },
    };
  }

  @Serve(op.ROTATE)
  async rotate(@AskedBy() caller: Caller, @AskedFor() { target, body }: Asked<typeof op.ROTATE>): Promise<void> {
    await this.gate.ask(caller, new RotateKey(caller, target, materialOf(body ?? {})));
  }

  @Serve(op.DISABLE)
  async disable(@AskedBy() caller: Caller, @AskedFor() { target }: Asked<typeof op.DISABLE>): Promise<void> {
    await this.gate.ask(caller, new DisableKey(caller, target));
  }

  @Serve(op.ENABLE)
  async enable(@AskedBy() caller: Caller, @AskedFor() { target }: Asked<typeof op.ENABLE>): Promise<void> {
    await this.gate.ask(caller, new EnableKey(caller, target));
  }

  @Serve(op.SET_FOR_DELETION)
  async setForDeletion(
    @AskedBy() caller: Caller,
    @AskedFor() { target }: Asked<typeof op.SET_FOR_DELETION>,
  ): Promise<void> {
    await this.gate.ask(caller, new SetForDeletion(caller, target));
  }

  @Serve(op.UNSET_FOR_DELETION)
  async unsetForDeletion(
    @AskedBy() caller: Caller,
    @AskedFor() { target }: Asked<typeof op.UNSET_FOR_DELETION>,
  ): Promise<void> {
    await this.gate.ask(caller, new UnsetForDeletion(caller, target));
  }

  @Serve(op.SYNC)
  async sync(@AskedBy() caller: Caller, @AskedFor() { target }: Asked<typeof op.SYNC>): Promise<void> {
    await this.gate.ask(caller, new SyncKey(caller, target));
  }
}
