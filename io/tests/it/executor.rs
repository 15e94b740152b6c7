//! The executor: fairness, timers, waiting in line, wake-ups from other threads.

use ringwood_io::{IoHandle, LocalMutex, Notify, Semaphore, TaskGone, join_all};
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::{Duration, Instant};

#[test]
fn a_task_that_wakes_itself_lets_others_go_first() {
    let io = IoHandle::in_memory();
    let log = Rc::new(RefCell::new(Vec::new()));
    io.block_on(async {
        let tasks: Vec<_> = (0..3)
            .map(|t| {
                let (io2, log) = (io.clone(), log.clone());
                io.spawn(async move {
                    for k in 0..4 {
                        log.borrow_mut().push((k, t));
                        io2.yield_now().await;
                    }
                })
            })
            .collect();
        join_all(tasks).await;
    });
    let expected: Vec<_> = (0..4).flat_map(|k| (0..3).map(move |t| (k, t))).collect();
    assert_eq!(*log.borrow(), expected);
    assert_eq!(io.task_count(), 0);
}

#[test]
fn timers_fire_in_order_and_not_early() {
    let io = IoHandle::in_memory();
    let order = Rc::new(RefCell::new(Vec::new()));
    let start = Instant::now();
    io.block_on(async {
        let tasks: Vec<_> = [30u64, 10, 20]
            .into_iter()
            .map(|ms| {
                let (io2, order) = (io.clone(), order.clone());
                io.spawn(async move {
                    io2.sleep(Duration::from_millis(ms)).await;
                    order.borrow_mut().push(ms);
                })
            })
            .collect();
        // One that is dropped before it fires.
        drop(io.sleep(Duration::from_hours(1)));
        join_all(tasks).await;
    });
    assert_eq!(*order.borrow(), [10, 20, 30]);
    assert!(start.elapsed() >= Duration::from_millis(30));
    assert!(start.elapsed() < Duration::from_secs(5));
}

#[test]
fn mutex_is_first_come_first_served_and_survives_dropped_waiters() {
    let io = IoHandle::in_memory();
    let mutex = Rc::new(LocalMutex::new(Vec::new()));
    io.block_on(async {
        let held = mutex.lock().await;
        let tasks: Vec<_> = (0..5)
            .map(|i| {
                let (io2, mutex) = (io.clone(), mutex.clone());
                io.spawn(async move {
                    let mut guard = mutex.lock().await;
                    io2.yield_now().await;
                    guard.push(i);
                })
            })
            .collect();
        // A waiter that gives up, in the middle of the line.
        {
            let mut waiting = Box::pin(mutex.lock());
            std::future::poll_fn(|cx| {
                assert!(waiting.as_mut().poll(cx).is_pending());
                std::task::Poll::Ready(())
            })
            .await;
        }
        io.yield_now().await;
        assert!(mutex.try_lock().is_none());
        drop(held);
        join_all(tasks).await;
        assert_eq!(*mutex.lock().await, [0, 1, 2, 3, 4]);
    });
    assert!(!mutex.is_locked());
}

#[test]
fn semaphore_hands_over_and_notify_misses_nothing() {
    let io = IoHandle::in_memory();
    let (sem, notify, most, now) = (
        Rc::new(Semaphore::new(3)),
        Rc::new(Notify::new()),
        Rc::new(Cell::new(0)),
        Rc::new(Cell::new(0)),
    );
    io.block_on(async {
        let tasks: Vec<_> = (0..20)
            .map(|_| {
                let (io2, sem, most, now) = (io.clone(), sem.clone(), most.clone(), now.clone());
                io.spawn(async move {
                    let _permit = sem.acquire().await;
                    now.set(now.get() + 1);
                    most.set(most.get().max(now.get()));
                    io2.yield_now().await;
                    now.set(now.get() - 1);
                })
            })
            .collect();
        join_all(tasks).await;
        assert_eq!((most.get(), sem.available()), (3, 3));

        let early = notify.notified();
        let dropped = notify.notified();
        notify.notify_one();
        early.await;
        let second = notify.notified();
        assert!(
            notify.notify_one(),
            "goes to the one that is about to be dropped"
        );
        drop(dropped);
        second.await;
        assert!(!notify.notify_one() && notify.is_idle());
    });
}

#[test]
fn other_threads_wake_a_sleeping_one() {
    let io = IoHandle::in_memory();
    let waker = io.remote_waker();
    let (tx, rx) = std::sync::mpsc::channel();
    let thread = std::thread::spawn(move || {
        for i in 0..50 {
            std::thread::sleep(Duration::from_micros(300));
            tx.send(i).unwrap();
            waker.wake();
        }
    });
    io.block_on(async {
        let (mut seen, mut next) = (0, 0);
        while next < 50 {
            while let Ok(i) = rx.try_recv() {
                assert_eq!(i, next);
                next += 1;
            }
            if next < 50 {
                seen = io.remote_woken(seen).await;
            }
        }
    });
    thread.join().unwrap();
    assert!(io.stats().naps > 0);
}

#[test]
fn block_on_nests_and_drives_the_outer_tasks() {
    let io = IoHandle::in_memory();
    let count = Rc::new(Cell::new(0));
    io.block_on(async {
        let (io2, count2) = (io.clone(), count.clone());
        let outer = io.spawn(async move {
            for _ in 0..10 {
                count2.set(count2.get() + 1);
                io2.yield_now().await;
            }
        });
        io.block_on(async {
            while count.get() < 5 {
                io.yield_now().await;
            }
        });
        outer.await.unwrap();
    });
    assert_eq!(count.get(), 10);
}

#[test]
fn shutdown_and_panics_tell_who_joins() {
    let io = IoHandle::in_memory();
    let forever = io.spawn(std::future::pending::<()>());
    let panics = io.spawn(async { panic!("on purpose") });
    let died = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        io.block_on(async { io.yield_now().await });
    }));
    assert!(died.is_err());
    let panics: ringwood_io::JoinHandle<()> = panics;
    assert_eq!(io.block_on(panics), Err(TaskGone));
    assert_eq!(io.task_count(), 1);
    io.shutdown();
    assert_eq!(io.block_on(forever), Err(TaskGone));
    assert_eq!(io.task_count(), 0);
}
