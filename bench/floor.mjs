/**
 * The floor under the API: the same listener, framework and request, and an answer that is always the same. Run as a
 * program of its own, so that it has a process to itself as the server has: node floor.mjs ANSWER → prints its URL.
 */
import 'reflect-metadata';
import { Controller, HttpCode, Module, Post, Req } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { makeListener } from '../dist/http/listener.js';

const ANSWER = JSON.parse(process.argv[2]);

class FloorController {
  wrap(request) {
    JSON.parse(request.body.toString('utf8')); // as every route does
    return ANSWER;
  }
}
Controller('api/v2/keys')(FloorController);
const wrap = Object.getOwnPropertyDescriptor(FloorController.prototype, 'wrap');
Post(':id/actions/:act')(FloorController.prototype, 'wrap', wrap);
HttpCode(200)(FloorController.prototype, 'wrap', wrap);
Req()(FloorController.prototype, 'wrap', 0);

class FloorModule {}
Module({ controllers: [FloorController] })(FloorModule);

const app = await NestFactory.create(FloorModule, makeListener({ tls: undefined }), {
  bodyParser: false,
  logger: false,
});
await app.listen(0, '127.0.0.1');
process.stdout.write(`http://127.0.0.1:${app.getHttpServer().address().port}\n`);
process.stdin.on('end', () => process.exit(0)).resume();
