import './browser.test.js';
import './client.test.js';
import './files.test.js';
import './policy.test.js';
import './rules.test.js';
import './socket.test.js';
