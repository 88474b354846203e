/* SPDX-License-Identifier: Apache-2.0 */
int first_answer(void);
