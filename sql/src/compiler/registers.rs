//! Registers: for good, and temporary ones that are used again.

use super::Compiler;

impl Compiler<'_> {
    /// A register for good.
    #[inline]
    pub fn alloc_reg(&mut self) -> i32 {
        self.mem_count += 1;
        self.mem_count
    }

    /// `count` registers in a row for good; the first.
    #[inline]
    pub fn alloc_regs(&mut self, count: usize) -> i32 {
        let first = self.mem_count + 1;
        self.mem_count += count as i32;
        first
    }

    /// How many registers there are so far.
    #[inline]
    pub fn reg_count(&self) -> i32 {
        self.mem_count
    }

    /// Registers up to that one are taken: the main program's, after a trigger's program took some of them.
    pub(crate) fn set_reg_count(&mut self, count: i32) {
        self.mem_count = self.mem_count.max(count);
    }

    /// `count` registers in a row of the main program, for good; the first.
    pub(crate) fn alloc_main_regs(&mut self, count: usize) -> i32 {
        if self.trigger.is_none() {
            return self.alloc_regs(count);
        }
        let first = self.programs.main_registers + 1;
        self.programs.main_registers += count as i32;
        first
    }

    /// A temporary register.
    #[inline]
    pub fn temp_reg(&mut self) -> i32 {
        self.temps.pop().unwrap_or_else(|| self.alloc_reg())
    }

    /// Gives a temporary register back; 0 is none.
    #[inline]
    pub fn release_temp(&mut self, reg: i32) {
        if reg != 0 && self.temps.len() < 8 {
            self.temps.push(reg);
        }
    }

    /// `count` temporary registers in a row; the first.
    pub fn temp_regs(&mut self, count: usize) -> i32 {
        if count == 1 {
            return self.temp_reg();
        }
        let (first, free) = self.temp_range;
        if count as i32 <= free {
            self.temp_range = (first + count as i32, free - count as i32);
            first
        } else {
            self.alloc_regs(count)
        }
    }

    /// Gives registers of [`Compiler::temp_regs`] back.
    pub fn release_temps(&mut self, first: i32, count: usize) {
        if count == 1 {
            self.release_temp(first);
        } else if count as i32 > self.temp_range.1 {
            self.temp_range = (first, count as i32);
        }
    }

    /// Forgets all temporary registers: code that follows may run between others (SQLite's sqlite3ClearTempRegCache).
    pub fn clear_temps(&mut self) {
        self.temps.clear();
        self.temp_range = (0, 0);
    }
}
